import { SetMetadata, type Type } from '@nestjs/common';

/** What a call takes besides its path; what it does not take is refused. */
export interface Accepted {
  /** The class whose rules its query is checked by. Default: it has none. */
  readonly query?: Type<object>;
  /** The class whose rules its body is checked by. Default: it has none. */
  readonly body?: Type<object>;
  /** Media types of its body. Default `JSON_BODY`. */
  readonly as?: readonly string[];
}

export const ACCEPTED = Symbol('ACCEPTED');

export const JSON_BODY = ['application/json'];
/** RFC 7386. Ordinary JSON means the same here. */
export const MERGE_PATCH = 'application/merge-patch+json';
export const PATCH_BODY = [...JSON_BODY, MERGE_PATCH];

export const Accepts = (accepted: Accepted) => SetMetadata(ACCEPTED, accepted);
