import type { RateLimitState } from './rate-limit-storage';
import type { RateLimit } from './rate-limit';

/**
 * `RateLimit-*` headers (draft-ietf-httpapi-ratelimit-headers, 06) for the limit of which the smallest share is left.
 */
export class RateLimitHeaders {
  readonly #policies: string[] = [];
  #nearest?: { readonly rate: RateLimit; readonly state: RateLimitState };

  add(name: string, rate: RateLimit, state: RateLimitState): void {
    this.#policies.push(`${rate.limit};w=${Math.ceil(rate.windowMs / 1000)};name="${name}"`);
    if (
      state.isRefused ||
      !this.#nearest ||
      share(rate, state) < share(this.#nearest.rate, this.#nearest.state)
    )
      this.#nearest = { rate, state };
  }

  /** Empty when nothing was counted. */
  all(): Record<string, string> {
    if (!this.#nearest) return {};
    const { rate, state } = this.#nearest;
    return {
      'RateLimit-Limit': String(rate.limit),
      'RateLimit-Remaining': String(state.remaining),
      'RateLimit-Reset': String(Math.ceil(state.resetMs / 1000)),
      'RateLimit-Policy': this.#policies.join(', '),
    };
  }
}

function share({ limit }: RateLimit, { remaining }: RateLimitState): number {
  return limit === 0 ? 0 : remaining / limit;
}
