import { Client, type ClientConfig, Query } from 'pg';
import { firstToken } from './sql-lexer';
import { TransactionRolledBackError } from './tenancy.errors';

/** What pg keeps of a client, and calls on it. */
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
 * A pg client that tells when a COMMIT has kept nothing. PostgreSQL answers the COMMIT (or PREPARE TRANSACTION) of a
 * transaction that has failed with the tag ROLLBACK and no error, and pg with success.
 */
class CommitKeepingClient extends PgClient {
  /** A failed transaction takes nothing but its end, so only the first statement of a text can be answered like this. */
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
    // A cursor takes it for the server's error; after the one statement that it has, nothing else comes.
    if (!(query instanceof Query)) return this._handleErrorMessage(error);
    // More answers may follow, of what comes after the COMMIT in the text: pg tells the error when all have come.
    Object.assign(query, { _canceledDueToError: error });
    super._handleCommandComplete(message);
  }

  #asksForRollback(): boolean {
    const { text, name = '' } = this._activeQuery ?? {};
    // A prepared statement may be asked for by its name alone; somebody's own query object may have no text to judge by.
    const asked = typeof text === 'string' ? text : this.connection.parsedStatements[name];
    if (asked === undefined) return true;
    const first = firstToken(asked);
    return first?.kind === 'word' && ROLLS_BACK.has(first.value);
  }
}

/** `pg.Client`, but that a COMMIT which was answered with ROLLBACK rejects. For pools' `Client`, too. */
export const KeepingClient = CommitKeepingClient as unknown as typeof Client;
