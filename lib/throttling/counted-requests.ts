import { Inject, Injectable, Logger } from '@nestjs/common';
import { TenancyUnavailableError } from '../common/tenancy.errors';
import { within } from '../common/within';
import { type RateLimitState, RateLimitStorage } from './rate-limit-storage';
import type { RateLimit } from './rate-limit';
import { type CheckedThrottlingOptions, THROTTLING_OPTIONS } from './throttling.options';

/** Counts requests in the storage, and decides about them while the storage does not answer. */
@Injectable()
export class CountedRequests {
  readonly #logger = new Logger('Tenancy');
  #isDown = false;

  constructor(
    @Inject(THROTTLING_OPTIONS) private readonly options: CheckedThrottlingOptions,
    private readonly storage: RateLimitStorage,
  ) {}

  /**
   * Counts a request. `undefined` when it could not be counted and may pass.
   *
   * @throws TenancyUnavailableError when it could not be counted and must not pass
   */
  async take(key: string, weight: number, rate: RateLimit): Promise<RateLimitState | undefined> {
    // Holds even when nothing can be counted.
    if (rate.limit === 0) return { isRefused: true, remaining: 0, resetMs: rate.windowMs };
    const { timeoutMs } = this.options;
    try {
      const state = await within(timeoutMs, this.storage.take(key, weight, rate));
      this.#noteUp();
      return state;
    } catch (error) {
      this.#noteDown(error);
      if (this.options.whenUnavailable !== 'refuse') return undefined;
      throw new TenancyUnavailableError('The count of requests', { cause: error });
    }
  }

  /** Logged once for each outage, because thousands of requests may come during it. */
  #noteDown(error: unknown): void {
    if (this.#isDown) return;
    this.#isDown = true;
    const outcome = this.options.whenUnavailable === 'refuse' ? 'are answered 503' : 'pass without a limit';
    this.#logger.error(`The storage of rate limits does not answer: requests ${outcome}. ${String(error)}`);
  }

  #noteUp(): void {
    if (!this.#isDown) return;
    this.#isDown = false;
    this.#logger.warn('The storage of rate limits answers again.');
  }
}
