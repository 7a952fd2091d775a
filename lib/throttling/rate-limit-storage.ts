import type { ThrottlerStorage } from '@nestjs/throttler';
import type { RateLimit } from './rate-limit';

type ThrottlerStorageRecord = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/** The state of a count after a request. */
export interface RateLimitState {
  readonly isRefused: boolean;
  /** What is left in this window, at least 0. */
  readonly remaining: number;
  /** Milliseconds until the window ends. */
  readonly resetMs: number;
}

/**
 * Stores the counts. It is also a storage of `@nestjs/throttler`, which has no weights, so it can serve that module's
 * own guard, too.
 */
export abstract class RateLimitStorage implements ThrottlerStorage {
  /**
   * Adds `weight` to the count of `key`, atomically, if that does not exceed the limit. Otherwise the request is
   * refused and the count does not change. `weight` is an integer from 1.
   */
  abstract take(key: string, weight: number, limit: RateLimit): Promise<RateLimitState>;

  async increment(
    key: string,
    ttl: number,
    limit: number,
    _blockDuration: number,
    throttlerName: string,
  ): Promise<ThrottlerStorageRecord> {
    const state = await this.take(`${throttlerName}:${key}`, 1, { limit, windowMs: ttl });
    const seconds = Math.ceil(state.resetMs / 1000);
    return {
      totalHits: limit - state.remaining + (state.isRefused ? 1 : 0),
      timeToExpire: seconds,
      isBlocked: state.isRefused,
      timeToBlockExpire: state.isRefused ? seconds : 0,
    };
  }
}
