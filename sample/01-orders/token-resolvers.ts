import type { TenantResolver } from 'nestjs-tenancy';
import { fromJwtClaim } from 'nestjs-tenancy/jwt';

/**
 * Tokens signed with `TENANCY_JWT_SECRET`, or by the OpenID provider `TENANCY_JWT_ISSUER` for `TENANCY_JWT_AUDIENCE`,
 * name a tenant in their claim `tenant`. Without these variables tokens are not read.
 */
export function tokenResolvers(): TenantResolver[] {
  const {
    TENANCY_JWT_SECRET: secret,
    TENANCY_JWT_ISSUER: issuer,
    TENANCY_JWT_AUDIENCE: audience,
  } = process.env;
  if (secret) return [fromJwtClaim({ claim: 'tenant', secret })];
  if (issuer) return [fromJwtClaim({ claim: 'tenant', issuer, audience })];
  return [];
}
