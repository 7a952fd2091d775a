import type { Clock } from './clock';
import { messageWithCause } from './error-message';

/** What a sweep could not do, in words; the next one tries it again. */
export class SweepProblems {
  readonly list: string[] = [];

  constructor(private readonly isClosing: () => boolean) {}

  /** The result of `work`. `undefined` when it failed, which is noted, or when the application is closing. */
  async attempt<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    if (this.isClosing()) return undefined;
    try {
      return await work();
    } catch (error) {
      this.note(what, error);
      return undefined;
    }
  }

  note(what: string, error: unknown): void {
    this.list.push(`The sweeper could not ${what}: ${messageWithCause(error)}`);
  }
}

/** A sweep that is repeated beside the application's work, never twice at once. */
export class SweepLoop<Report> {
  #running: Promise<Report> | undefined;
  #callOff: (() => void) | undefined;
  #isClosing = false;

  constructor(
    private readonly work: (problems: SweepProblems) => Promise<Report>,
    private readonly clock: Clock,
  ) {}

  /** Runs a sweep and returns its report. While one is running, all callers get the same report. */
  run(): Promise<Report> {
    return (this.#running ??= this.work(new SweepProblems(() => this.#isClosing)).finally(() => {
      this.#running = undefined;
    }));
  }

  /**
   * Sweeps now, and again each time when `pauseMs` have passed since the end of the last one. `tell` gets the reports, but
   * not those of the shutdown, because the next start sweeps again.
   */
  start(pauseMs: number, tell: (report: Report) => void): void {
    void this.run().then((report) => {
      if (this.#isClosing) return;
      tell(report);
      this.startLater(pauseMs, tell);
    });
  }

  /** The same, with a pause before the first one. */
  startLater(pauseMs: number, tell: (report: Report) => void): void {
    this.#callOff = this.clock.after(pauseMs, () => this.start(pauseMs, tell));
  }

  /** Waits for the sweep that is running, whose remaining steps are left out. */
  async stop(): Promise<void> {
    this.#isClosing = true;
    this.#callOff?.();
    await this.#running?.catch(() => undefined);
  }
}
