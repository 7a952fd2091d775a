import type { Cache } from 'cache-manager';
import type { HttpRequest } from '../context/handler-call';
import { callback, milliseconds, text, waiting, withMethod } from '../common/options/kinds';
import { type Given, Option } from '../common/options/option.decorator';

export const CACHE_OPTIONS = Symbol('CACHE_OPTIONS');

type CallerOf = (request: HttpRequest) => string | undefined;

export class CheckedCacheOptions {
  /**
   * What keeps the values: the result of `createCache()` of cache-manager. Default: `CACHE_MANAGER`, as Nest's
   * `CacheModule.register()` provides it in any module.
   */
  @Option(withMethod<Cache>('mget', 'give what createCache() of cache-manager returns'))
  readonly cache?: Cache;

  /**
   * How long a value is kept that is set without a time of its own, in milliseconds, an integer from 1. Default 300,000,
   * five minutes. What `clear()` leaves in the store is gone after that time, too.
   */
  @Option(milliseconds(1))
  readonly ttlMs: number = 300_000;

  /**
   * How long other instances may still give values after a tenant was cleared, in milliseconds from 0. Default 1,000. With
   * 0 the store is asked for the tenant's generation at each use.
   */
  @Option(milliseconds(0))
  readonly clearedWithinMs: number = 1_000;

  /** How long a use of the store may take before it counts as failed, in milliseconds, an integer from 1. Default 500. */
  @Option(waiting(1))
  readonly timeoutMs: number = 500;

  /**
   * What the values look like. Values of another version are not found, so raise it with a release that changes their shape.
   * Default `1`.
   */
  @Option(text())
  readonly version: string = '1';

  /** The beginning of all keys. Applications that share a store need different ones. Default `tenants`. */
  @Option(text())
  readonly keyPrefix: string = 'tenants';

  /**
   * Says who sends a request, for `TenantCacheInterceptor`: callers with the same text get the same kept answers;
   * `undefined`: nothing is kept. Default: told by the headers that carry credentials.
   *
   * @see docs/cache.md#whose-answer-it-is
   */
  @Option(callback<CallerOf>('give a function of a request'))
  readonly callerOf?: CallerOf;
}

export type TenancyCacheOptions = Given<CheckedCacheOptions>;
