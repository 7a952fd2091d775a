import { isPlainObject, kind } from '../common/options/kinds';
import type { Kind } from '../common/options/option.decorator';
import { actorNamed } from '../registry/events/audit-events';
import type { EventActor } from '../registry/events/tenant-event';
import type { MemberSubject } from './member';

/** Who gives rights to others. A `Principal` is one. */
export interface Grantor {
  readonly scopes: readonly string[];
  /** The membership; keys have none, and then only their scopes count. */
  readonly member?: { readonly roles: readonly string[] };
}

/** The kind of an option `grantedBy`. */
export function grantor(): Kind<Grantor> {
  return kind<Grantor>(
    'give a principal, or { scopes }',
    (value) => isPlainObject(value) && Array.isArray(value.scopes),
  );
}

/** Who does it, as events tell it: a member is a user, and no operator. */
export function actorOf({
  actor,
  grantedBy,
}: {
  readonly actor?: string;
  readonly grantedBy?: Grantor;
}): EventActor {
  return grantedBy?.member ? { type: 'user', id: actor ?? null } : actorNamed(actor);
}

/** The owner of a token, who need not be a member. */
export function userOf({ issuer, subject }: MemberSubject): EventActor {
  return { type: 'user', id: `${issuer} ${subject}`.trim() };
}
