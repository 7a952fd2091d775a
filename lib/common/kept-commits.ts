import { Client, type ClientConfig, Query } from 'pg';
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
    return asked === undefined || /^(?:rollback|abort)\b/i.test(asked.slice(startOfStatement(asked)));
  }
}

/** `pg.Client`, but that a COMMIT which was answered with ROLLBACK rejects. For pools' `Client`, too. */
export const KeepingClient = CommitKeepingClient as unknown as typeof Client;

const SKIPPED = /[\s;]/;

/** Behind white space, empty statements and comments, which PostgreSQL nests. */
function startOfStatement(text: string): number {
  let position = 0;
  for (;;) {
    while (position < text.length && SKIPPED.test(text[position])) position++;
    if (text.startsWith('--', position)) position = endOfLine(text, position);
    else if (text.startsWith('/*', position)) position = endOfComment(text, position);
    else return position;
  }
}

function endOfLine(text: string, start: number): number {
  const end = text.indexOf('\n', start);
  return end === -1 ? text.length : end;
}

function endOfComment(text: string, start: number): number {
  let position = start;
  let depth = 0;
  do {
    if (text.startsWith('/*', position)) depth++;
    else if (text.startsWith('*/', position)) depth--;
    else position--;
    position += 2;
  } while (depth > 0 && position < text.length);
  return position;
}
