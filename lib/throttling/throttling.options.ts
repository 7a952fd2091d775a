import type { Tenant } from '../registry/tenant';
import type { TenantPlansOptions } from '../registry/tenant-plans';
import type { RateLimits, TenantRateLimits } from './rate-limit';
import type { RateLimitStorage } from './rate-limit-storage';

export const THROTTLING_OPTIONS = Symbol('THROTTLING_OPTIONS');

export interface TenancyThrottlingOptions extends TenantPlansOptions<RateLimits> {
  /** What one tenant has besides, or instead of, the limits of its plan. Asked with every request. Default: nothing. */
  readonly limitsOf?: (tenant: Tenant) => TenantRateLimits | undefined;
  /**
   * Where the counts are. Default: `new MemoryRateLimits()`, so each instance counts for itself. Instances share what is
   * in `new RedisRateLimits(client)`.
   */
  readonly storage?: RateLimitStorage;
  /**
   * What becomes of requests that cannot be counted: `allow` lets them pass, `refuse` answers 503 `TENANCY_UNAVAILABLE`.
   * Default `allow`. A limit of 0 refuses in either case.
   */
  readonly whenUnavailable?: 'allow' | 'refuse';
  /** How long a request waits for the storage, in milliseconds, an integer from 1. Default 500. */
  readonly timeoutMs?: number;
}
