import type { Clock } from '../../lib/common/clock';

/** A clock that stands still until it is told to go on. */
export class ManualClock implements Clock {
  readonly #timers = new Set<{ readonly at: number; readonly work: () => void }>();

  constructor(private ms = 1_000) {}

  now(): number {
    return this.ms;
  }

  after(ms: number, work: () => void): () => void {
    const timer = { at: this.ms + ms, work };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Timers that are due go off at their time, one after the other, and what they lead to is done before the next. */
  async advance(ms: number): Promise<void> {
    const until = this.ms + ms;
    for (;;) {
      const [next] = [...this.#timers].sort((one, other) => one.at - other.at);
      if (!next || next.at > until) break;
      this.ms = Math.max(this.ms, next.at);
      this.#timers.delete(next);
      next.work();
      await settled();
    }
    this.ms = until;
  }
}

/** When all promises that wait for nothing else have been settled. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
