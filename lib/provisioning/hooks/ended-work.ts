import { Injectable } from '@nestjs/common';

/** A move that has ended in this instance. */
export interface EndedMove {
  readonly outcome: 'done' | 'failed';
  readonly seconds: number;
}

/** A timer's run that has ended in this instance, or fires of it that came to nothing. */
export interface EndedTimerRun {
  readonly timer: string;
  /** `failed`: for at least one tenant; `broken`: it could not go on to its end. */
  readonly outcome: 'done' | 'failed' | 'broken';
  readonly seconds: number;
  readonly visited: number;
  readonly failed: number;
}

interface Ended {
  readonly move: EndedMove;
  readonly timerRun: EndedTimerRun;
  readonly skippedFires: { readonly timer: string; readonly count: number };
}

/** Work in the background that has ended here, for those who count it. */
@Injectable()
export class EndedWork {
  readonly #listeners = new Set<(work: Partial<Ended>) => void>();

  /** Returns a function that takes the listener away. */
  on(listener: (work: Partial<Ended>) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  tell(work: Partial<Ended>): void {
    for (const listener of this.#listeners) listener(work);
  }
}
