import { freezeDeeply } from '../common/freeze-deeply';
import { checkArguments } from '../common/options/check-options';
import { credentialResolver } from '../resolution/resolvers/credential-resolver';
import type {
  CredentialClaims,
  TenantRequest,
  TenantResolver,
} from '../resolution/resolvers/tenant-resolver';
import { tokenReader } from '../resolution/resolvers/token-reader';
import { leaveCredential, VerifiedCredential } from '../resolution/resolvers/verified-credential';
import { CheckedJwtOptions, type FromJwtClaimOptions } from './jwt.options';
import { payloadClaim } from './payload-claim';
import { tokenDetails } from './token-details';
import { tokenVerifier } from './token-verifier';
import { type VerifiedToken, VerifiedTokens } from './verified-tokens';

/**
 * Claims the tenant that a verified token names: `fromJwtClaim({ claim: 'tenant', issuer, audience })`. A request
 * without a token makes no claim. The token is a credential, so it must agree even when another resolver found the
 * tenant: a token that names another tenant, or an unknown one, is 403 `TENANT_MISMATCH`. If it names several, another
 * resolver must choose.
 *
 * A bad token is 401 `TENANT_TOKEN_INVALID`, on every route except a `@TenantFree()` one; when the issuer's keys cannot
 * be fetched, it is 503 `TENANCY_UNAVAILABLE`. This does not replace the application's own authentication: it tells the
 * tenant, not the user.
 *
 * @throws TypeError for options that verify nothing, or less than their author meant
 */
export function fromJwtClaim(given: FromJwtClaimOptions): TenantResolver {
  const options = checkArguments('fromJwtClaim()', CheckedJwtOptions, given);
  const { header, scheme, clockToleranceSeconds, cache } = options;
  const tokenOf = tokenReader(header, scheme);
  const claimOf = payloadClaim(options);
  const verify = tokenVerifier(options, clockToleranceSeconds, scheme);
  const verified = new VerifiedTokens(cache.maxEntries, cache.ttlMs);

  const heard = (
    { raw }: TenantRequest,
    token: string,
    { claims, details }: VerifiedToken,
  ): CredentialClaims => {
    leaveCredential(raw, new VerifiedCredential(token, details));
    return claims;
  };
  const verifiedClaims = async (request: TenantRequest, token: string): Promise<CredentialClaims> => {
    const payload = await verify(token);
    const claims = claimOf(payload);
    const said = freezeDeeply({ claims, details: tokenDetails(payload, claims !== undefined) });
    verified.set(token, (payload.exp + clockToleranceSeconds) * 1_000, said);
    return heard(request, token, said);
  };

  const resolve = (request: TenantRequest) => {
    const token = tokenOf(request);
    if (token === undefined) return undefined;
    const known = verified.get(token);
    return known ? heard(request, token, known) : verifiedClaims(request, token);
  };
  return credentialResolver(resolve, { vary: [header], reads: 'access_token' });
}
