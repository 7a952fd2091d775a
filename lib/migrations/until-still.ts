import { setTimeout as pause } from 'node:timers/promises';

/**
 * SQLSTATEs of what PostgreSQL answers when something is dropped that it has begun to tell of, such as "could not open
 * relation with OID": internal_error, undefined_table, undefined_object, undefined_function.
 */
const IS_MOVING: ReadonlySet<string> = new Set(['XX000', '42P01', '42704', '42883']);

const TRIES = 20;
const PAUSE_MS = 50;

/** Whether it may be no more than somebody who works on the schema just now. */
export function saysMoving(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' && IS_MOVING.has(code);
}

/** What `look` tells once nobody drops under its eyes what it looks at. Rejects as it does when that takes too long. */
export async function untilStill<T>(look: () => Promise<T>): Promise<T> {
  for (let triesLeft = TRIES; ; triesLeft--) {
    try {
      return await look();
    } catch (error) {
      if (triesLeft <= 1 || !saysMoving(error)) throw error;
      await pause(PAUSE_MS);
    }
  }
}
