import { backgroundClock, type Clock } from '../common/clock';
import { type RateLimitState, RateLimitStorage } from './rate-limit-storage';
import type { RateLimit } from './rate-limit';

interface Window {
  used: number;
  readonly endsAt: number;
}

/**
 * Counts whose window has ended are removed when there are at least this many, and twice as many as the last time left.
 */
const SWEEP_FROM = 1_000;

/**
 * Counts in this process: each instance grants the whole limit. It uses a monotonic clock, so setting the machine's
 * time neither locks a tenant out nor lets it pass.
 */
export class MemoryRateLimits extends RateLimitStorage {
  readonly #windows = new Map<string, Window>();
  #sweepAt = SWEEP_FROM;

  constructor(private readonly clock: Pick<Clock, 'now'> = backgroundClock) {
    super();
  }

  /** How many counts are kept. */
  get size(): number {
    return this.#windows.size;
  }

  override take(key: string, weight: number, { limit, windowMs }: RateLimit): Promise<RateLimitState> {
    const now = this.clock.now();
    const window = this.#window(key, now, windowMs);
    const isRefused = window.used + weight > limit;
    if (!isRefused) window.used += weight;
    return Promise.resolve({
      isRefused,
      remaining: Math.max(0, limit - window.used),
      resetMs: window.endsAt - now,
    });
  }

  #window(key: string, now: number, windowMs: number): Window {
    const running = this.#windows.get(key);
    if (running && running.endsAt > now) return running;
    const window = { used: 0, endsAt: now + windowMs };
    this.#windows.set(key, window);
    if (this.#windows.size > this.#sweepAt) this.#sweep(now);
    return window;
  }

  #sweep(now: number): void {
    for (const [key, { endsAt }] of this.#windows) if (endsAt <= now) this.#windows.delete(key);
    this.#sweepAt = Math.max(SWEEP_FROM, 2 * this.#windows.size);
  }
}
