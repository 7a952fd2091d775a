import { Injectable } from '@nestjs/common';

export type TurnResult = 'done' | 'failed';

/** Which followers this instance has, and what became of their turns since it started. */
@Injectable()
export class TurnMeter {
  readonly #turns = new Map<string, Record<TurnResult, number>>();

  begin(follower: string): void {
    if (!this.#turns.has(follower)) this.#turns.set(follower, { done: 0, failed: 0 });
  }

  end(follower: string): void {
    this.#turns.delete(follower);
  }

  /** A turn that ends after its follower counts no more. */
  count(follower: string, result: TurnResult): void {
    const counts = this.#turns.get(follower);
    if (counts) counts[result]++;
  }

  read(): ReadonlyMap<string, Readonly<Record<TurnResult, number>>> {
    return this.#turns;
  }
}
