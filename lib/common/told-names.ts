import { LRUCache } from 'lru-cache';

/** A name that was forgotten gets a second line in the log, which does no harm. */
const MAX_TOLD = 1_000;

/** Of what the log already has a line, so that it gets one for each name, not one for each request. */
export class ToldNames {
  readonly #names = new LRUCache<string, true>({ max: MAX_TOLD });

  /** Whether it is the first time. */
  isNew(name: string): boolean {
    if (this.#names.has(name)) return false;
    this.#names.set(name, true);
    return true;
  }
}
