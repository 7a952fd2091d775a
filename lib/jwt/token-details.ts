import { ALL_SCOPES } from '../common/scopes';
import type { CredentialDetails } from '../resolution/resolvers/verified-credential';
import type { VerifiedPayload } from './token-verifier';

/**
 * Whose a verified token is and what it may do: `sub`, or the client of a token without one, and `scope` (RFC 8693) or
 * `scp`, as text or as a list.
 */
export function tokenDetails(payload: VerifiedPayload, namesTenant: boolean): CredentialDetails {
  const { iss, sub, client_id: client, scope, scp } = payload;
  const subject = textOf(sub) ?? textOf(client) ?? '';
  return {
    type: 'access_token',
    subject,
    name: `${String(iss ?? '')} ${subject}`,
    scopes: scopesOf(scope ?? scp),
    namesTenant,
    claims: payload,
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Without `*`: what an issuer means by it is not that its subject may do everything here. */
function scopesOf(scope: unknown): readonly string[] {
  const listed: unknown[] = typeof scope === 'string' ? scope.split(' ') : Array.isArray(scope) ? scope : [];
  return listed.filter(
    (each): each is string => typeof each === 'string' && each !== '' && each !== ALL_SCOPES,
  );
}
