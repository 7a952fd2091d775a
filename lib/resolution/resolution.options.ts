import type { TenantResolver } from './tenant-resolver';

export const RESOLUTION_OPTIONS = Symbol('RESOLUTION_OPTIONS');

export interface ResolutionOptions {
  /** Asked in this order; the first claim decides. */
  readonly resolvers: readonly TenantResolver[];
  /** Slug of the tenant that serves requests without a claim. Default: none, and they are refused. */
  readonly fallbackTenant?: string;
  readonly cache?: LookupCacheOptions;
}

/** How long and how much the answers of the registry are remembered, in each instance of the application. */
export interface LookupCacheOptions {
  /** Tenants found, by each name they were asked by; an integer from 1 to 1,000,000. Default 10,000. */
  readonly maxEntries?: number;
  /**
   * Milliseconds, an integer from 0 (remember nothing). Default 1,000: for so long another instance may go on serving
   * a tenant that was suspended here.
   */
  readonly ttlMs?: number;
}
