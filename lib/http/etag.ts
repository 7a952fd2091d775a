/** What changes, and counts its changes. */
export interface Versioned {
  readonly id: string;
  readonly version: number;
}

/**
 * The tag of a resource as it is shown now. With its id, since a slug may come to name another tenant, whose version may
 * be the same.
 */
export function etagOf({ id, version }: Versioned): string {
  return `"${id}.${version}"`;
}

/** One tag of a list; what comes before it and after it is white space and a comma (RFC 9110, 8.8.3 and 5.6.1). */
const TAG = /^(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"$/;

interface EntityTag {
  readonly isWeak: boolean;
  readonly opaque: string;
}

/**
 * The versions of a resource that an `If-Match` lets pass: `undefined` when any will do, `*` or no header; an empty list
 * when none does. Compared strongly: a weak tag never matches (RFC 9110, 13.1.1), nor does what is no tag at all.
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

/** Whether an `If-None-Match` names this tag. Compared weakly: a proxy that compresses makes tags weak. */
export function namesTag(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch.trim() === '*' || tagsOf(ifNoneMatch).some(({ opaque }) => `"${opaque}"` === etag);
}

/** Our tags hold no comma, so one inside a foreign tag only makes two of it that match as little. */
function tagsOf(list: string): EntityTag[] {
  return list.split(',').flatMap((part) => {
    const [, weak, opaque] = TAG.exec(part.trim()) ?? [];
    return opaque === undefined ? [] : [{ isWeak: weak !== undefined, opaque }];
  });
}
