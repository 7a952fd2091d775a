import type { Clock } from '../../common/clock';

/** Questions a second in the long run. */
const PER_SECOND = 250;

/** Questions that may be saved up, so that a cold start is not held back. Within any second at most 500 are sent. */
const SAVED = 250;

/** How often one instance may ask the registry, whoever makes it ask. */
export class QuestionBudget {
  #left = SAVED;
  #countedAt: number;

  constructor(private readonly clock: Pick<Clock, 'now'>) {
    this.#countedAt = clock.now();
  }

  /** Takes one question: 0 when there was one, else the milliseconds until there will be. */
  take(): number {
    const now = this.clock.now();
    this.#left = Math.min(SAVED, this.#left + ((now - this.#countedAt) * PER_SECOND) / 1_000);
    this.#countedAt = now;
    if (this.#left < 1) return Math.ceil(((1 - this.#left) * 1_000) / PER_SECOND);
    this.#left -= 1;
    return 0;
  }
}
