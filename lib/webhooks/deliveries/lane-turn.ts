import type { Clock } from '../../common/clock';
import { FAILING_AFTER, holdAfter, parseRetryAfter, retryDelay } from './retry-schedule';
import type { AttemptOutcome, ClaimedLane, DueDelivery, LaneOutcome } from './webhook-lanes';
import type { WebhookAnswer, WebhookSender } from './webhook-sender';

export interface TurnSurroundings {
  readonly sender: WebhookSender;
  readonly clock: Clock;
  /** The registry's time. */
  readonly now: () => Date;
  /** How many requests an endpoint gets at once. */
  readonly concurrency: number;
  /** How many it gets in a second. */
  readonly perSecond: number;
  /** Told of the beginning and the end of each request. */
  readonly meter: TurnMeter;
}

export interface TurnMeter {
  begin(): void;
  end(result: AttemptOutcome['result'] | 'unsent'): void;
}

/** No request begins later in a turn, so that a turn ends while its lease lasts. */
export const TURN_MS = 5_000;

/** How long a lane waits after its turn when its secrets could not be read. */
const UNREAD_HOLD_MS = 5_000;

/** Sends what is due on a lane, as long as the receiver takes it. */
export class LaneTurn {
  readonly #due: DueDelivery[];
  readonly #attempts: AttemptOutcome[] = [];
  readonly #startedAt: number;
  /** When the next request may begin. */
  #nextAt: number;
  #failures: number;
  #hasArrived = false;
  #isGone = false;
  #retryAfterMs = 0;
  #isStopped = false;

  constructor(
    private readonly lane: ClaimedLane,
    private readonly around: TurnSurroundings,
  ) {
    this.#due = [...lane.due];
    this.#failures = lane.failures;
    this.#startedAt = this.#nextAt = around.clock.now();
  }

  /** Begins no more requests. */
  stop(): void {
    this.#isStopped = true;
  }

  async run(): Promise<LaneOutcome> {
    const count = Math.min(this.around.concurrency, this.#due.length);
    await Promise.all(Array.from({ length: count }, () => this.#work()));
    return {
      endpointId: this.lane.endpointId,
      token: this.lane.token,
      attempts: this.#attempts,
      failures: this.#failures,
      hasArrived: this.#hasArrived,
      holdMs: this.#hold(),
      isGone: this.#isGone,
    };
  }

  async #work(): Promise<void> {
    while (await this.#mayBegin()) {
      const delivery = this.#due.shift();
      if (!delivery) return;
      await this.#attempt(delivery);
    }
  }

  /** Waits for the time of the next request. False: there is none in this turn. */
  async #mayBegin(): Promise<boolean> {
    if (this.#due.length === 0 || this.#isOver(this.around.clock.now())) return false;
    const at = Math.max(this.#nextAt, this.around.clock.now());
    if (this.#isOver(at)) return false;
    this.#nextAt = at + 1_000 / this.around.perSecond;
    const waitMs = at - this.around.clock.now();
    if (waitMs > 0) await new Promise<void>((resolve) => void this.around.clock.after(waitMs, resolve));
    return !this.#isOver(at);
  }

  #isOver(at: number): boolean {
    const isRefused = this.#isGone || this.#retryAfterMs > 0;
    // One that fails gets a single request, to learn whether it is back.
    const isFailing = this.#failures >= Math.max(FAILING_AFTER, this.lane.failures + 1);
    return this.#isStopped || isRefused || isFailing || at - this.#startedAt > TURN_MS;
  }

  async #attempt(delivery: DueDelivery): Promise<void> {
    const { sender, now, meter } = this.around;
    const { endpointId, url } = this.lane;
    const at = now();
    meter.begin();
    let answer: WebhookAnswer;
    try {
      answer = await sender.send({ endpointId, url, id: delivery.eventId, at, body: delivery.payload });
    } catch {
      // It was not sent, which is not the receiver's fault: no attempt of it.
      this.#isStopped = true;
      this.#retryAfterMs ||= UNREAD_HOLD_MS;
      return meter.end('unsent');
    }
    const outcome = this.#judge(delivery, at, answer);
    this.#attempts.push(outcome);
    meter.end(outcome.result);
  }

  #judge(delivery: DueDelivery, at: Date, answer: WebhookAnswer): AttemptOutcome {
    const { status = null, durationMs, error = null } = answer;
    const told = { id: delivery.id, at, status, durationMs: Math.round(durationMs), error };
    if (status !== null && status >= 200 && status < 300) {
      this.#failures = 0;
      this.#hasArrived = true;
      return { ...told, result: 'delivered', delayMs: 0 };
    }
    this.#failures++;
    this.#isGone ||= status === 410;
    const retryAfterMs = parseRetryAfter(answer.retryAfter, this.around.now());
    this.#retryAfterMs = Math.max(this.#retryAfterMs, retryAfterMs);
    const delayMs = retryDelay(delivery.attempt + 1, retryAfterMs);
    return delayMs === undefined
      ? { ...told, result: 'dead', delayMs: 0 }
      : { ...told, result: 'pending', delayMs };
  }

  /** Until the receiver wants more, and in any case as long as its rate says. */
  #hold(): number {
    const paceMs = this.#attempts.length > 0 ? this.#nextAt - this.around.clock.now() : 0;
    return Math.ceil(Math.max(holdAfter(this.#failures, this.#retryAfterMs), paceMs, 0));
  }
}
