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
  const found = subjectOf
    ? subjectOf(claims)
    : { issuer: textOf(claims.iss) ?? '', subject: textOf(claims.sub) ?? '' };
  if (!found) return undefined;
  const { issuer = '', subject } = found;
  return isSubject({ issuer, subject }) ? { issuer, subject } : undefined;
}

export interface TokenAddress {
  /** As the issuer says it. */
  readonly email: string;
  readonly folded: string;
  readonly isVerified: boolean;
}

/** The address in a verified token (OpenID Connect Core, 5.1); `undefined` when there is none, or what is there is none. */
export function addressOfToken({ email, email_verified: verified }: Claims): TokenAddress | undefined {
  const folded = foldEmail(email);
  if (folded === undefined) return undefined;
  // Some issuers send their flags as texts.
  return { email: email as string, folded, isVerified: verified === true || verified === 'true' };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
