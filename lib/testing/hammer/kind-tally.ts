import { HammerBlindError } from '../testing.errors';

/** After so many attempts without one success, the faults cannot be the cause. */
const TRIES_UNTIL_BLIND = 20;

interface Tally {
  succeeded: number;
  failed: number;
  lastError?: unknown;
}

/** Counts how the operations of each kind ended. */
export class KindTally {
  readonly #kinds = new Map<string, Tally>();

  succeeded(kind: string): void {
    this.#of(kind).succeeded++;
  }

  failed(kind: string, error: unknown): void {
    const tally = this.#of(kind);
    tally.failed++;
    tally.lastError = error;
  }

  get failures(): Record<string, number> {
    const failing = [...this.#kinds].filter(([, { failed }]) => failed > 0);
    return Object.fromEntries(failing.map(([kind, { failed }]) => [kind, failed]));
  }

  /** A kind that never succeeds has examined nothing. @throws HammerBlindError when there is one */
  assertSeeing(): void {
    for (const [kind, { succeeded, failed, lastError }] of this.#kinds) {
      if (succeeded === 0 && failed >= TRIES_UNTIL_BLIND)
        throw new HammerBlindError(`"${kind}" failed ${failed} times and never succeeded`, lastError);
    }
  }

  #of(kind: string): Tally {
    const tally = this.#kinds.get(kind) ?? { succeeded: 0, failed: 0 };
    this.#kinds.set(kind, tally);
    return tally;
  }
}
