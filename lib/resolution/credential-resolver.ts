import type { TenantRequest, TenantResolver } from './tenant-resolver';

/**
 * Marks a resolver of yours as one that reads a credential: a token, an API key. Such resolvers are asked even when the
 * tenant is found, and must agree: one that names another tenant, or nobody, is 403 `TENANT_MISMATCH`.
 */
export function credentialResolver(
  resolve: (request: TenantRequest) => ReturnType<TenantResolver>,
): TenantResolver {
  return Object.assign((request: TenantRequest) => resolve(request), { credential: true as const });
}
