import { foldEmail } from './email-address';
import type { MemberSubject } from './member';
import { isSubject } from './member-input';
import type { CheckedMembersOptions } from './members.options';

type Claims = Readonly<Record<string, unknown>>;

/** Whose a verified token is; `undefined` when it names nobody who could be a member. */
export function subjectOfToken(
  claims: Claims,
  { subjectOf }: Pick<CheckedMembersOptions, 'subjectOf'>,
): MemberSubject | undefined {
  const found = subjectOf ? subjectOf(claims) : subjectIn(claims);
  if (!found) return undefined;
  const { issuer = '', subject } = found;
  return isSubject({ issuer, subject }) ? { issuer, subject } : undefined;
}

export interface TokenAddress {
  /** As the issuer says it. */
  readonly email: string;
  readonly folded: string;
}

/**
 * The address in a verified token (OpenID Connect Core, 5.1) that the issuer has verified, too: else anybody could give
 * another's. `undefined` without one.
 */
export function addressOfToken({ email, email_verified: verified }: Claims): TokenAddress | undefined {
  const folded = foldEmail(email);
  // Some issuers send their flags as texts.
  const isVerified = verified === true || verified === 'true';
  return folded === undefined || !isVerified ? undefined : { email: email as string, folded };
}

/** An issuer that is no text is not the same as none, which stands for the application itself. */
function subjectIn({ iss = '', sub }: Claims): MemberSubject | undefined {
  return typeof iss === 'string' && typeof sub === 'string' ? { issuer: iss, subject: sub } : undefined;
}
