import type { Names } from '../../common/known-names';

/** How long and how much the answers of the registry are remembered, in each instance of the application. */
export interface LookupCacheOptions {
  /** Tenants found, by each name they were asked by; an integer from 1 to 1,000,000. Default 10,000. */
  readonly maxEntries?: number;
  /**
   * Milliseconds, an integer from 0 (remember nothing, whatever else is said here). Default 60,000. It bounds only what
   * nobody tells of, such as a trigger of the registry that somebody switched off: what PostgreSQL tells is forgotten at
   * once. While it cannot tell (no connection that hears, or a `store` of your own) an answer is remembered for 800 ms at
   * most, so a change is always felt within a second. That a name is nobody's is remembered for 1,000 at most.
   */
  readonly ttlMs?: number;
  /**
   * For how many milliseconds a tenant is served on while the registry is unavailable, from the last moment at which it
   * was known to be as it is; an integer from 0 (never). Default 60,000. Others get 503. A suspension cannot be felt
   * while the registry is away: where that is worse than an outage, set 0.
   */
  readonly staleIfErrorMs?: number;
}

/** Their names. */
export const LOOKUP_CACHE_OPTIONS: Names<LookupCacheOptions> = {
  maxEntries: true,
  ttlMs: true,
  staleIfErrorMs: true,
};
