import { setTimeout as pause } from 'node:timers/promises';

/**
 * SQLSTATEs that PostgreSQL answers when an object is dropped while a query describes it, such as "could not open
 * relation with OID": internal_error, undefined_table, undefined_object, undefined_function.
 */
const IS_MOVING: ReadonlySet<string> = new Set(['XX000', '42P01', '42704', '42883']);

const TRIES = 20;
const PAUSE_MS = 50;

/** Whether the error may only mean that somebody is changing the schema. */
export function saysMoving(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' && IS_MOVING.has(code);
}

/**
 * The result of `look`, which is repeated while objects are dropped during it. Rejects with its error when that happens
 * too often.
 */
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
