import type { ThrottlerStorage } from '@nestjs/throttler';
import type { RateLimit } from './rate-limit';

type ThrottlerStorageRecord = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/** How a count stands after a request. */
export interface RateLimitState {
  readonly isRefused: boolean;
  /** What is left in this window, from 0. */
  readonly remaining: number;
  /** Until the window ends, in milliseconds. */
  readonly resetMs: number;
}

/**
 * Keeps counts. It is a storage of `@nestjs/throttler`, which knows no weights, so it may serve that module's own guard,
 * too.
 */
export abstract class RateLimitStorage implements ThrottlerStorage {
  /**
   * Adds `weight` to the count of `key`, in one step, if the limit is not exceeded by that; else it is refused, and the
   * count stays. `weight` is an integer from 1.
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
