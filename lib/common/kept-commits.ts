import { Client, type ClientConfig, Query } from 'pg';
import { firstToken } from './sql-lexer';
import { TransactionRolledBackError } from './tenancy.errors';

/** The private parts of a pg client that this class needs. */
interface ClientInternals {
  readonly connection: { readonly parsedStatements: Readonly<Record<string, string | undefined>> };
  readonly _activeQuery?: { readonly text?: unknown; readonly name?: string } | null;
  _handleCommandComplete(message: CommandComplete): void;
  _handleReadyForQuery(message: unknown): void;
  _handleErrorMessage(message: Error): void;
}

interface CommandComplete {
  /** Such as `INSERT 0 1`. */
  readonly text?: string;
}

const ROLLS_BACK: ReadonlySet<string> = new Set(['rollback', 'abort']);

const PgClient = Client as unknown as new (config?: string | ClientConfig) => ClientInternals;

/**
 * A pg client that reports a COMMIT that did not commit. PostgreSQL answers the COMMIT (or PREPARE TRANSACTION) of a
 * failed transaction with the tag ROLLBACK and no error, and pg takes that for success.
 */
class CommitKeepingClient extends PgClient {
  /** A failed transaction accepts only its end, so only the first statement of a text can be answered like this. */
  #isFirstAnswer = true;

  override _handleReadyForQuery(message: unknown): void {
    this.#isFirstAnswer = true;
    super._handleReadyForQuery(message);
  }

  override _handleCommandComplete(message: CommandComplete): void {
    const isRefused = this.#isFirstAnswer && message.text === 'ROLLBACK' && !this.#asksForRollback();
    this.#isFirstAnswer = false;
    if (!isRefused) return super._handleCommandComplete(message);
    const error = new TransactionRolledBackError();
    const query = this._activeQuery;
    // A cursor has one statement, so it can take this for the server's error: no other answer follows.
    if (!(query instanceof Query)) return this._handleErrorMessage(error);
    // Statements after the COMMIT in the text are still to be answered; pg reports the error after the last answer.
    Object.assign(query, { _canceledDueToError: error });
    super._handleCommandComplete(message);
  }

  #asksForRollback(): boolean {
    const { text, name = '' } = this._activeQuery ?? {};
    // A prepared statement may be sent by its name alone, and a query object of the application may have no text.
    const asked = typeof text === 'string' ? text : this.connection.parsedStatements[name];
    if (asked === undefined) return true;
    const first = firstToken(asked);
    return first?.kind === 'word' && ROLLS_BACK.has(first.value);
  }
}

/** `pg.Client`, except that a COMMIT which was answered with ROLLBACK rejects. Also for the `Client` of a pool. */
export const KeepingClient = CommitKeepingClient as unknown as typeof Client;
