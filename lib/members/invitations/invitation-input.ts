import { type FieldError, ValidationFailedError } from '../../common/tenancy.errors';
import { foldEmail } from '../email-address';
import { checkMemberPatch } from '../member-input';
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
  const errors: FieldError[] = [];
  if (foldEmail(email) === undefined)
    errors.push({
      field: 'email',
      message: 'must be an address such as ann@example.com, at most 254 characters',
    });
  if (typeof anyEmail !== 'boolean') errors.push({ field: 'anyEmail', message: 'must be true or false' });
  try {
    const checked = checkMemberPatch({ roles, scopes });
    if (errors.length === 0)
      return { email, anyEmail, roles: checked.roles ?? roles, scopes: checked.scopes ?? scopes };
  } catch (error) {
    if (!(error instanceof ValidationFailedError)) throw error;
    errors.push(...error.errors);
  }
  throw new ValidationFailedError(errors);
}
