import type { DataSource } from 'typeorm';
import { isOutage } from '../common/outage';
import { TenancyUnavailableError } from '../common/tenancy.errors';

/** After so long it is asked again, in the background: a server's clock may be set, or another server take over. */
const ASK_AGAIN_AFTER_MS = 10_000;

/**
 * The time by PostgreSQL's clock, which all instances share: what expires, and what is counted by the day, must not go by
 * the clock of one of them. It is asked now and then, and goes on by a clock of this process that is never set.
 */
export class RegistryTime {
  /** PostgreSQL's milliseconds when this process's were 0. */
  #offset = NaN;
  #askedAt = 0;
  #asking: Promise<void> | undefined;

  private constructor(private readonly registry: DataSource) {}

  /** @throws TenancyUnavailableError */
  static async open(registry: DataSource): Promise<RegistryTime> {
    const time = new RegistryTime(registry);
    try {
      await time.ask();
    } catch (error) {
      throw isOutage(error) ? new TenancyUnavailableError('The tenant registry', { cause: error }) : error;
    }
    return time;
  }

  now(): Date {
    const here = performance.now();
    if (here - this.#askedAt > ASK_AGAIN_AFTER_MS) this.#askInBackground(here);
    return new Date(this.#offset + here);
  }

  /** Asks PostgreSQL. */
  async ask(): Promise<void> {
    const [{ ms }] = await this.registry.query<{ ms: number }[]>(
      "SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) * 1000 AS ms",
    );
    // Behind by the time that the answer was on its way, never ahead: nothing is noted of the future.
    this.#askedAt = performance.now();
    this.#offset = ms - this.#askedAt;
  }

  /** While it cannot be asked, the clock of this process goes on. */
  #askInBackground(now: number): void {
    if (this.#asking || !this.registry.isInitialized) return;
    this.#askedAt = now;
    this.#asking = this.ask()
      .catch(() => undefined)
      .finally(() => {
        this.#asking = undefined;
      });
  }
}
