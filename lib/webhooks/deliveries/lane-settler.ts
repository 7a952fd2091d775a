import { Logger } from '@nestjs/common';
import type { Clock } from '../../common/clock';
import type { LaneOutcome } from './webhook-lanes';

/** How many lanes are written in one transaction. */
const MAX_TOGETHER = 64;

const RETRY_MS = 500;

interface Waiting {
  readonly outcome: LaneOutcome;
  readonly until: number;
  readonly done: () => void;
}

/**
 * Writes what became of lanes: those that end while others are being written, together. While the registry is away it goes
 * on trying, as long as the leases last. After that another instance sends again what was not written.
 */
export class LaneSettler {
  readonly #logger = new Logger('Tenancy');
  #waiting: Waiting[] = [];
  #isWriting = false;

  constructor(
    private readonly write: (outcomes: readonly LaneOutcome[]) => Promise<void>,
    private readonly clock: Clock,
  ) {}

  /** Resolves when it is written, or given up at `until`, by the clock. */
  settle(outcome: LaneOutcome, until: number): Promise<void> {
    return new Promise((done) => {
      this.#waiting.push({ outcome, until, done });
      if (!this.#isWriting) void this.#keepWriting();
    });
  }

  async #keepWriting(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const group = this.#waiting.slice(0, MAX_TOGETHER);
      this.#waiting = this.#waiting.slice(MAX_TOGETHER);
      if (await this.#tryWriting(group)) continue;
      // One of them may be what PostgreSQL refuses.
      const failed: Waiting[] = [];
      for (const each of group) if (!(await this.#tryWriting([each]))) failed.push(each);
      const late = failed.filter(({ until }) => this.clock.now() >= until);
      for (const { done } of late) done();
      if (late.length > 0) this.#logger.warn(`${late.length} endpoint(s) may get some webhooks again.`);
      this.#waiting.push(...failed.filter((each) => !late.includes(each)));
      if (failed.length > late.length)
        await new Promise<void>((resolve) => void this.clock.after(RETRY_MS, resolve));
    }
    this.#isWriting = false;
  }

  async #tryWriting(group: readonly Waiting[]): Promise<boolean> {
    try {
      await this.write(group.map(({ outcome }) => outcome));
    } catch (error) {
      if (group.length === 1)
        this.#logger.warn(`What became of some webhooks is not written yet: ${String(error)}`);
      return false;
    }
    for (const { done } of group) done();
    return true;
  }
}
