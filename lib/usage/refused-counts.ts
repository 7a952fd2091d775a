import { Injectable, Logger } from '@nestjs/common';
import type { UsageBatch } from './usage-batch';

/**
 * SQLSTATE classes of errors that a value causes: data exceptions (such as a sum that is out of range), constraints,
 * program limits, errors that a trigger raises, and corrupted data. All other classes concern the server or the whole
 * statement: a missing table, missing rights, a standby, a full disk, a deadlock.
 */
const OF_A_VALUE = /^(?:21|22|23|44|54|P0|XX)[0-9A-Z]{3}$/;

/**
 * The server function behind RAISE in PL/pgSQL. It marks such an error whatever its SQLSTATE and the server's language.
 */
const RAISE = 'exec_stmt_raise';

/** Decides about counts that PostgreSQL will never accept. */
@Injectable()
export class RefusedCounts {
  readonly #logger = new Logger('Tenancy');
  #dropped = 0;

  /** How many counts were dropped. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * Splits a batch that PostgreSQL refused because of a value. Its halves are written separately, so that in the end
   * only the counts that cannot be written are dropped, each with a line in the log. `undefined` when the batch should
   * be sent again unchanged.
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
        `PostgreSQL will never accept the count of ${total} "${metric}" of the tenant "${tenant.slug}" in the month of ${month}, ` +
          `so it is dropped: ${reason}`,
      );
    }
  }
}
