import { SetMetadata } from '@nestjs/common';

/** What a call takes besides its path; what it does not take is refused. */
export interface Accepted {
  /** Its query is checked by the rules of a class. */
  readonly query?: boolean;
  /** Media types of its body. Default: it has none. */
  readonly body?: readonly string[];
}

export const ACCEPTED = Symbol('ACCEPTED');

export const JSON_BODY = ['application/json'];
/** RFC 7386. Ordinary JSON means the same here. */
export const MERGE_PATCH = 'application/merge-patch+json';
export const PATCH_BODY = [...JSON_BODY, MERGE_PATCH];

export const Accepts = (accepted: Accepted) => SetMetadata(ACCEPTED, accepted);
