import type { DataSource } from 'typeorm';
import { orUnavailable } from '../common/outage';

/** How often it is read again, in the background: the server's clock may be set, or another server may take over. */
const ASK_AGAIN_AFTER_MS = 10_000;

/**
 * The time of PostgreSQL's clock, which all instances share: expiry and daily counts must not depend on
 * the clock of one instance. It is read now and then, and advanced in between by the monotonic clock of this process.
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
      throw orUnavailable('The tenant registry', error);
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
    // The answer took some time, so this is slightly behind and never ahead.
    this.#askedAt = performance.now();
    this.#offset = ms - this.#askedAt;
  }

  /** When PostgreSQL does not answer, the clock of this process goes on. */
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
