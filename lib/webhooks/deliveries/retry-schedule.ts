const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/**
 * How long after each failed attempt the next one is made, as the Standard Webhooks specification lists it: ten attempts
 * within 75 hours and 35 minutes. After the last one a delivery is dead.
 */
export const RETRY_DELAYS_MS: readonly number[] = [
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
];

/** How long a delivery is tried, without what the jitter adds. */
export const TRIED_FOR_MS = RETRY_DELAYS_MS.reduce((sum, delay) => sum + delay, 0);

/** An endpoint to which nothing has come for so long is disabled. */
export const DISABLED_AFTER_MS = 5 * 24 * HOUR;

/** So many failures in a row say that the receiver fails, and not only one event that it chokes on. */
export const FAILING_AFTER = 3;

/** What a receiver may ask for with `Retry-After`. */
const MAX_RETRY_AFTER_MS = 24 * HOUR;

/** How much later an attempt may come than listed, so that what failed together does not come back together. */
const JITTER = 0.1;

const FIRST_HOLD_MS = 5 * SECOND;
const MAX_HOLD_MS = 5 * MINUTE;

/**
 * When the next attempt is made after `attempts` that failed, in milliseconds from now: never earlier than listed, and never
 * earlier than the receiver has asked for. `undefined`: there is none.
 */
export function retryDelay(
  attempts: number,
  retryAfterMs = 0,
  random: () => number = Math.random,
): number | undefined {
  const delay = RETRY_DELAYS_MS.at(attempts - 1);
  if (attempts > RETRY_DELAYS_MS.length || delay === undefined) return undefined;
  return Math.round(Math.max(delay, retryAfterMs) * (1 + JITTER * random()));
}

/**
 * How long an endpoint is left alone after so many failures in a row, in milliseconds: longer each time, five minutes at
 * most. While it fails, it gets one delivery at a time, so a backlog does not fall upon a receiver that comes back.
 */
export function holdAfter(failures: number, retryAfterMs = 0, random: () => number = Math.random): number {
  const doublings = Math.min(failures - FAILING_AFTER, 10);
  const hold = doublings < 0 ? 0 : Math.min(FIRST_HOLD_MS * 2 ** doublings, MAX_HOLD_MS);
  return Math.round(Math.max(hold, retryAfterMs) * (1 + JITTER * random()));
}

/**
 * What `Retry-After` asks for, in milliseconds from `now`: seconds, or a date (RFC 9110, 10.2.3). 24 hours at most; 0 for one
 * that says nothing that can be understood.
 */
export function parseRetryAfter(value: string | undefined, now: Date): number {
  if (value === undefined) return 0;
  const text = value.trim();
  const ms = /^\d+$/.test(text) ? Number(text) * SECOND : Date.parse(text) - now.getTime();
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}
