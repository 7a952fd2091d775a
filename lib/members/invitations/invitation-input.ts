import { refuseProblems } from '../../common/field-problems';
import { foldEmail } from '../email-address';
import { MAX_EMAIL_LENGTH, memberProblems, once } from '../member-input';
import type { Invitation } from './invitation';

/** Who is invited, and to what. */
export interface InvitationInput {
  /** At most 254 characters, 64 of them before the `@`. */
  readonly email: string;
  /** At most 50 names of roles. Default `['member']`. */
  readonly roles?: readonly string[];
  /** At most 100 scopes, besides those of the roles. Default none. */
  readonly scopes?: readonly string[];
  /** Whether somebody with another address may accept, or with one that nobody has verified. Default false. */
  readonly anyEmail?: boolean;
}

export type CheckedInvitation = Pick<Invitation, 'email' | 'roles' | 'scopes' | 'anyEmail'>;

/** @throws ValidationFailedError naming every bad field */
export function checkInvitation(input: InvitationInput): CheckedInvitation {
  const { email, anyEmail = false, roles = ['member'], scopes = [] } = input;
  const isAddress = foldEmail(email) !== undefined;
  refuseProblems([
    [
      'email',
      isAddress
        ? undefined
        : `must be an address such as ann@example.com, at most ${MAX_EMAIL_LENGTH} characters`,
    ],
    ['anyEmail', typeof anyEmail === 'boolean' ? undefined : 'must be true or false'],
    ...memberProblems({ roles, scopes }),
  ]);
  return { email, anyEmail, roles: once(roles), scopes: once(scopes).sort() };
}
