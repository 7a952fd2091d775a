import { integer, milliseconds } from '../../common/options/kinds';
import { type Given, Option } from '../../common/options/option.decorator';

/** lru-cache makes room for all entries when it is made. */
const MAX_CACHE_ENTRIES = 1_000_000;

/** How long and how much the answers of the registry are remembered, in each instance of the application. */
export class CheckedLookupCacheOptions {
  /**
   * Milliseconds, an integer from 0 (remember nothing, whatever else is said here). Default 60,000. It bounds only what
   * nobody tells of, such as a trigger of the registry that somebody switched off: what PostgreSQL tells is forgotten at
   * once. While it cannot tell (no connection that hears, or a `store` of your own without `changes`) an answer is remembered for 800 ms at
   * most, so a change is always felt within a second. That a name is nobody's is remembered for 1,000 at most.
   */
  @Option(milliseconds(0), { variable: 'TENANCY_CACHE_TTL_MS' })
  readonly ttlMs: number = 60_000;

  /** Tenants found, by each name they were asked by; an integer from 1 to 1,000,000. Default 10,000. */
  @Option(integer(1, MAX_CACHE_ENTRIES), { variable: 'TENANCY_CACHE_MAX_ENTRIES' })
  readonly maxEntries: number = 10_000;

  /**
   * For how many milliseconds a tenant is served on while the registry is unavailable, from the last moment at which it
   * was known to be as it is; an integer from 0 (never). Default 60,000. Others get 503. A suspension cannot be felt
   * while the registry is away: where that is worse than an outage, set 0.
   */
  @Option(milliseconds(0), { variable: 'TENANCY_CACHE_STALE_IF_ERROR_MS' })
  readonly staleIfErrorMs: number = 60_000;
}

export type LookupCacheOptions = Given<CheckedLookupCacheOptions>;
