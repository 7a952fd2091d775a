import { type ApiRequest, headerOf } from './api-request';

/** A resource that counts its changes. */
export interface Versioned {
  readonly id: string;
  readonly version: number;
}

/**
 * The entity tag of a resource in its current state. It contains the id, because a slug may later name another tenant
 * with the same version.
 */
export function etagOf({ id, version }: Versioned): string {
  return `"${id}.${version}"`;
}

/** One tag of a list. Only white space and commas stand around it (RFC 9110, 8.8.3 and 5.6.1). */
const TAG = /^(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"$/;

interface EntityTag {
  readonly isWeak: boolean;
  readonly opaque: string;
}

/**
 * The versions of a resource that satisfy an `If-Match`: `undefined` when every version does (`*`, or no header), an
 * empty list when none does. The comparison is strong: a weak tag never matches (RFC 9110, 13.1.1), nor does a
 * malformed one.
 */
export function versionsMatching(
  ifMatch: string | undefined,
  { id }: Pick<Versioned, 'id'>,
): number[] | undefined {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined;
  return tagsOf(ifMatch).flatMap(({ isWeak, opaque }) => {
    const version = /^\d{1,15}$/.exec(opaque.startsWith(`${id}.`) ? opaque.slice(id.length + 1) : '')?.[0];
    return isWeak || version === undefined ? [] : [Number(version)];
  });
}

/** What the `If-Match` of a request asks of the resource that its path names, by an id in whichever case. */
export function ifVersionOf(request: ApiRequest, id: string): number[] | undefined {
  return versionsMatching(headerOf(request, 'if-match'), { id: id.toLowerCase() });
}

/**
 * Whether an `If-None-Match` names this tag. The comparison is weak, because a proxy that compresses makes tags weak.
 */
export function namesTag(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch.trim() === '*' || tagsOf(ifNoneMatch).some(({ opaque }) => `"${opaque}"` === etag);
}

/** Splits at every comma. Our tags contain none; a foreign tag with one becomes two tags that match nothing either. */
function tagsOf(list: string): EntityTag[] {
  return list.split(',').flatMap((part) => {
    const [, weak, opaque] = TAG.exec(part.trim()) ?? [];
    return opaque === undefined ? [] : [{ isWeak: weak !== undefined, opaque }];
  });
}
