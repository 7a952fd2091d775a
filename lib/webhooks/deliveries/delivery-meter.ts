import { Injectable } from '@nestjs/common';
import type { TurnMeter } from './lane-turn';
import type { AttemptOutcome } from './webhook-lanes';

/** What this instance sends, and what became of it since it started. */
@Injectable()
export class DeliveryMeter implements TurnMeter {
  readonly #attempts = { delivered: 0, pending: 0, dead: 0 };
  #inFlight = 0;

  begin(): void {
    this.#inFlight++;
  }

  end(result: AttemptOutcome['result'] | 'unsent'): void {
    this.#inFlight--;
    if (result !== 'unsent') this.#attempts[result]++;
  }

  /** `failed` attempts are followed by others, but for those whose delivery is `dead` with them. */
  read(): {
    readonly inFlight: number;
    readonly delivered: number;
    readonly failed: number;
    readonly dead: number;
  } {
    const { delivered, pending: failed, dead } = this.#attempts;
    return { inFlight: this.#inFlight, delivered, failed, dead };
  }
}
