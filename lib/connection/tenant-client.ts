import { BaseClient } from './pg-internals';
import type { TransactionSettings } from './settings';

/** What PostgreSQL will answer to a rider before, or between, the answers to the statement it travels with. */
interface ExpectedAnswers {
  /** Answers of the statement's own that come first: BEGIN's. */
  pass: number;
  /** Then so many CommandComplete messages are the rider's. */
  commands: number;
}

/**
 * A connection of the tenants' pool. It knows who has it now, and how to send a tenant's settings along with a
 * statement: what PostgreSQL answers to them is heard here and told to nobody, so whatever sent the statement (a
 * query, a cursor, a stream) sees the answers to its own messages only.
 */
export class TenantClient extends BaseClient {
  /** The lease that has it now; `undefined` while it is idle in the pool. */
  lease: object | undefined;
  #expected: ExpectedAnswers | undefined;

  /**
   * Writes the settings as the beginning of a message group of the extended protocol. The caller's own Parse, Bind
   * and Execute follow, and one Sync: PostgreSQL runs both in one transaction, or neither.
   */
  ride({ sql, values }: TransactionSettings): void {
    const { connection } = this;
    connection.parse({ text: sql });
    connection.bind({ values });
    connection.execute({});
    this.#expected = { pass: 0, commands: 1 };
  }

  /** Sends one text of the simple protocol, in which `settings.commands` follow the first `pass` statements. */
  sendWithCommands(text: string, { count }: TransactionSettings, pass = 0): void {
    this.connection.query(text);
    this.#expected = { pass, commands: count };
  }

  inTransaction(): boolean {
    const status = this.getTransactionStatus();
    return status === 'T' || status === 'E';
  }

  /** Whether nothing is being answered and nothing waits to be sent. */
  isIdle(): boolean {
    return !this._activeQuery && this._queryQueue.length === 0 && this.readyForQuery !== false;
  }

  /** pg would take it for the statement's own, and remember a named statement whose Parse may yet fail. */
  override _handleParseComplete(): void {
    if (!this.#expected) super._handleParseComplete();
  }

  override _handleDataRow(message: unknown): void {
    if (!this.#expected) super._handleDataRow(message);
  }

  override _handleCommandComplete(message: unknown): void {
    const expected = this.#expected;
    if (!expected) return super._handleCommandComplete(message);
    if (expected.pass > 0) {
      expected.pass--;
      return super._handleCommandComplete(message);
    }
    if (--expected.commands === 0) this.#expected = undefined;
  }

  override _handleErrorMessage(message: unknown): void {
    this.#expected = undefined;
    super._handleErrorMessage(message);
  }
}
