/** So much in each window. A window begins with the first request in it. */
export interface RateLimit {
  /** The weights of the requests in one window together, an integer from 0. 0 refuses all. */
  readonly limit: number;
  /** Milliseconds, an integer from 1,000 to 31,536,000,000 (a year). */
  readonly windowMs: number;
}

/**
 * Limits by their names: 1 to 64 characters of `a-z A-Z 0-9 _ -`. All of them hold at once; none is no limit. A tenant
 * has one count under each name, whatever the route.
 */
export type RateLimits = Readonly<Record<string, RateLimit>>;

/** Limits of one tenant: instead of those that its plan has under the same name; `null` lifts one. */
export type TenantRateLimits = Readonly<Record<string, RateLimit | null>>;
