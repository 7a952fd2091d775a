import type { TenantResolver } from './resolvers/tenant-resolver';

export const RESOLUTION_OPTIONS = Symbol('RESOLUTION_OPTIONS');

export interface ResolutionOptions {
  /** Asked in this order; the first claim decides. */
  readonly resolvers: readonly TenantResolver[];
  /** Slug of the tenant that serves requests without a claim. Default: none, and they are refused. */
  readonly fallbackTenant?: string;
  /**
   * Proxies whose `X-Forwarded-Host` and `X-Forwarded-For` are believed: addresses, CIDR ranges, `loopback`, `linklocal`
   * or `uniquelocal`. Default: whatever the platform trusts.
   */
  readonly trustedProxies?: readonly string[];
  /** Whether answers name in `Vary` what of the request decides on the tenant. Default true. */
  readonly vary?: boolean;
}
