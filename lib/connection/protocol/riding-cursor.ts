import { isOutage } from '../../common/outage';
import { CommitOutcomeUnknownError, isAnswer } from '../connection.errors';
import { ForeignQuery, type Submittable, foreignTextRefusal } from './foreign-query';
import { leavesCommitOpen, takesSnapshot } from './transaction-text';
import type { WireConnection } from './pg-internals';
import type { StatementLease } from './tenant-statement';

/**
 * A cursor, or a stream over one: it speaks the extended protocol, so the parameters ride in front as with any
 * statement.
 */
export class RidingCursor extends ForeignQuery {
  readonly #cursor: CursorState;
  #tellLost!: () => void;

  constructor(lease: StatementLease, inner: Submittable) {
    super(lease, inner);
    const lost = new Promise<void>((resolve) => (this.#tellLost = resolve));
    this.#cursor = cursorOf(inner) as CursorState;
    endCloseWith(lost, this.#cursor);
  }

  override get text(): unknown {
    return this.#cursor.text;
  }

  /** The statement was never sent, so PostgreSQL owes no answer. */
  get waitsForReader(): boolean {
    return this.#cursor.state === 'idle';
  }

  override submit(connection: WireConnection): Error | null | undefined {
    const { client, parameters } = this.lease;
    const refusal = this.lease.refusal(this.text) ?? foreignTextRefusal(this.text, client.standardStrings);
    if (refusal) return refusal;
    if (!client.inTransaction() || takesSnapshot(this.text)) client.ride(parameters, connection, this.text);
    return this.inner.submit(connection);
  }

  override handleError(error: Error, connection: WireConnection): void {
    const heeded = this.lease.heed(error);
    const isSent = this.#cursor.state !== 'initialized';
    const isOpen = isSent && leavesCommitOpen(error, this.text, this.lease.client.standardStrings);
    const told = isOpen ? new CommitOutcomeUnknownError({ cause: heeded }) : heeded;
    if (!isAnswer(error) || isOutage(error)) this.#tellLost();
    if (this.#cursor.state === 'done') failAfterEnd(this.#cursor, told);
    else this.inner.handleError(told, connection);
  }

  override handleReadyForQuery(connection: WireConnection): void {
    this.inner.handleReadyForQuery?.(connection);
  }

  protected override isHeard(): boolean {
    return true;
  }
}

/** The private state of pg-cursor. */
interface CursorState {
  readonly text: unknown;
  state: string;
  _error?: Error;
  /** The callback that waits for rows. */
  _cb: ((error: Error) => void) | null;
  close(callback?: (error?: Error) => void): Promise<void> | undefined;
}

/**
 * After the last row a cursor counts as done and ignores errors. But its transaction ends only then: the
 * commit may be refused, or the connection lost, and whoever waits for the rows must hear of it.
 */
function failAfterEnd(cursor: CursorState, error: Error): void {
  const reader = cursor._cb;
  Object.assign(cursor, { state: 'error', _error: error, _cb: null });
  reader?.(error);
}

/**
 * `close` waits for the server's answer, and the end of a stream waits for `close`: on a lost connection both would
 * wait for ever.
 */
function endCloseWith(lost: Promise<void>, cursor: CursorState): void {
  const close = cursor.close.bind(cursor);
  cursor.close = (callback) => {
    const closed = new Promise<void>((resolve, reject) => {
      void close((error) => (error ? reject(error) : resolve()));
    });
    const ended = Promise.race([closed, lost]);
    if (!callback) return ended;
    ended.then(() => callback(), callback);
    return undefined;
  };
}

/** pg-cursor, and pg-query-stream, which holds one. */
export function isCursor(query: object): boolean {
  const cursor = cursorOf(query);
  return typeof cursor === 'object' && cursor !== null && '_getRows' in cursor && '_portal' in cursor;
}

/** The SQL of a query object, if it has a text. */
export function textOf(query: object): unknown {
  return (cursorOf(query) as { text?: unknown } | undefined)?.text;
}

function cursorOf(query: object): unknown {
  return 'cursor' in query ? query.cursor : query;
}
