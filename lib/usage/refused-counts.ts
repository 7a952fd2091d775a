import { Injectable, Logger } from '@nestjs/common';
import type { UsageBatch } from './usage-batch';

/**
 * SQLSTATE classes that speak of a value: data exceptions (such as a sum that is out of range), constraints, limits of a
 * program, what a trigger raises, and damaged data. All others speak of the server, or of the statement as a whole: a
 * table that is not there, rights, a standby, a full disk, a deadlock.
 */
const OF_A_VALUE = /^(?:21|22|23|44|54|P0|XX)[0-9A-Z]{3}$/;

/** Where PL/pgSQL's RAISE comes from, whatever the SQLSTATE it was given and the language of the server. */
const RAISE = 'exec_stmt_raise';

/** What becomes of counts that PostgreSQL does not take, now or ever. */
@Injectable()
export class RefusedCounts {
  readonly #logger = new Logger('Tenancy');
  #dropped = 0;

  /** How many counts were dropped. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * What is still to be written of a batch that was refused for good: its halves, so that in the end only what cannot be
   * written is dropped, and said. Nothing when it is to be sent again as it is.
   */
  divide(batch: UsageBatch, error: unknown): readonly UsageBatch[] | undefined {
    const { code, routine, message } = error as Readonly<Partial<Record<string, unknown>>>;
    if (typeof code !== 'string' || !(OF_A_VALUE.test(code) || routine === RAISE)) return undefined;
    const halves = batch.halves();
    if (halves.length === 0) this.#drop(batch, String(message));
    return halves;
  }

  #drop(batch: UsageBatch, reason: string): void {
    for (const { tenant, metric, month, total } of batch.months) {
      this.#dropped += 1;
      this.#logger.error(
        `PostgreSQL refuses the count of ${total} "${metric}" of the tenant "${tenant.slug}" in the month of ${month} ` +
          `for good, so it is dropped: ${reason}`,
      );
    }
  }
}
