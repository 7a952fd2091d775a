import { SetMetadata, type Type } from '@nestjs/common';

/** What a call takes besides its path. Anything else is refused. */
export interface Accepted {
  /** The class with the rules for its query. Default: no query. */
  readonly query?: Type<object>;
  /** The class with the rules for its body. Default: no body. */
  readonly body?: Type<object>;
  /** Media types of the body. Default `JSON_BODY`. */
  readonly as?: readonly string[];
}

export const ACCEPTED = Symbol('ACCEPTED');

export const JSON_BODY = ['application/json'];
/** RFC 7386. Here plain JSON has the same meaning. */
export const MERGE_PATCH = 'application/merge-patch+json';
export const PATCH_BODY = [...JSON_BODY, MERGE_PATCH];

export const Accepts = (accepted: Accepted) => SetMetadata(ACCEPTED, accepted);
