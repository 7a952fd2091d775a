/**
 * Tenants from verified tokens.
 *
 * @module nestjs-tenancy/jwt
 */

export { fromJwtClaim } from './from-jwt-claim';
export { type FromJwtClaimOptions, type VerifiedTokenCacheOptions } from './jwt.options';
export { TenantTokenInvalidError } from './jwt.errors';
