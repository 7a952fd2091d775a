import { DatabaseError } from 'pg';
import { isOutage } from '../common/outage';
import type { StatementLease } from './statement-lease';
import type { WireConnection } from './pg-internals';

type Handler = (...args: unknown[]) => void;

/** A query that is not ours: any object with `submit`, as cursors and streams are. What pg calls on it is optional. */
export interface Submittable {
  text?: unknown;
  callback?: unknown;
  query_timeout?: number;
  _result?: unknown;
  submit(connection: WireConnection): Error | null | undefined;
  handleError(error: Error, connection: WireConnection): void;
  handleReadyForQuery?(connection: WireConnection): void;
}

const HANDLERS = [
  'handleRowDescription',
  'handleDataRow',
  'handlePortalSuspended',
  'handleEmptyQuery',
  'handleCommandComplete',
  'handleCopyInResponse',
  'handleCopyData',
] as const;

/** What pg is given instead of somebody's own query object: it passes on what that one should hear. */
abstract class ForeignQuery {
  constructor(
    protected readonly lease: StatementLease,
    protected readonly inner: Submittable,
  ) {
    const handlers = inner as unknown as Record<string, Handler | undefined>;
    for (const name of HANDLERS) {
      const handle: Handler = (...args) => {
        if (this.isHeard()) handlers[name]?.apply(inner, args);
      };
      Object.defineProperty(this, name, { value: handle });
    }
  }

  /** pg puts its timeout around it. */
  get callback(): unknown {
    return this.inner.callback;
  }

  set callback(callback: unknown) {
    this.inner.callback = callback;
  }

  get query_timeout(): number | undefined {
    return this.inner.query_timeout;
  }

  /** pg gives it the client's type parsers. */
  get _result(): unknown {
    return this.inner._result;
  }

  abstract submit(connection: WireConnection): Error | null | undefined;
  abstract handleError(error: Error, connection: WireConnection): void;
  abstract handleReadyForQuery(connection: WireConnection): void;
  protected abstract isHeard(): boolean;
}

/** A cursor, or a stream over one: it speaks the extended protocol, so the settings ride in front as with any statement. */
export class RidingCursor extends ForeignQuery {
  readonly #cursor: CursorState;
  #tellLost!: () => void;

  constructor(lease: StatementLease, inner: Submittable) {
    super(lease, inner);
    const lost = new Promise<void>((resolve) => (this.#tellLost = resolve));
    this.#cursor = cursorOf(inner) as CursorState;
    endCloseWith(lost, this.#cursor);
  }

  override submit(connection: WireConnection): Error | null | undefined {
    const refusal = this.lease.refusal();
    if (refusal) return refusal;
    const { client, settings } = this.lease;
    if (!client.inTransaction()) client.ride(settings);
    return this.inner.submit(connection);
  }

  override handleError(error: Error, connection: WireConnection): void {
    this.lease.heed(error);
    if (!(error instanceof DatabaseError) || isOutage(error)) this.#tellLost();
    if (this.#cursor.state === 'done') failAfterEnd(this.#cursor, error);
    else this.inner.handleError(error, connection);
  }

  override handleReadyForQuery(connection: WireConnection): void {
    this.inner.handleReadyForQuery?.(connection);
  }

  protected override isHeard(): boolean {
    return true;
  }
}

/** What pg-cursor keeps of itself. */
interface CursorState {
  state: string;
  _error?: Error;
  /** Whoever waits for rows. */
  _cb: ((error: Error) => void) | null;
  close(callback?: (error?: Error) => void): Promise<void> | undefined;
}

/**
 * After the last row a cursor takes itself for done and is deaf to errors. But its transaction ends only then: the
 * commit may be refused, or the connection lost, and whoever waits for the rows must hear of it.
 */
function failAfterEnd(cursor: CursorState, error: Error): void {
  const reader = cursor._cb;
  Object.assign(cursor, { state: 'error', _error: error, _cb: null });
  reader?.(error);
}

/** `close` waits for the server's word, and the end of a stream for `close`: on a lost connection both would for ever. */
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

/** `bare`: in a transaction of the caller's, whose end is the caller's too. */
type Phase = 'begin' | 'inside' | 'bare' | 'commit' | 'rollback';

/**
 * Anything else, such as COPY: it runs inside a transaction of ours that has the settings, for three round trips. To
 * pg it is one query that is queued again for each phase.
 *
 * It hears that it is done only after the COMMIT, since a deferred constraint may yet refuse what it wrote.
 */
export class WrappedQuery extends ForeignQuery {
  #phase: Phase = 'begin';

  override submit(connection: WireConnection): Error | null | undefined {
    const refusal = this.lease.refusal();
    if (refusal) return refusal;
    if (this.#phase === 'begin') return this.#begin(connection);
    if (this.#phase === 'inside') return this.inner.submit(connection);
    connection.query(this.#phase);
    return null;
  }

  #begin(connection: WireConnection): Error | null | undefined {
    const { client, settings } = this.lease;
    if (client.inTransaction()) {
      this.#phase = 'bare';
      return this.inner.submit(connection);
    }
    connection.query(`BEGIN; ${settings.commands}`);
    return null;
  }

  override handleReadyForQuery(connection: WireConnection): void {
    if (this.#phase === 'begin') this.#again('inside');
    else if (this.#phase === 'inside') this.#again('commit');
    else if (this.#phase !== 'rollback') this.inner.handleReadyForQuery?.(connection);
  }

  override handleError(error: Error, connection: WireConnection): void {
    this.lease.heed(error);
    if (this.#phase === 'rollback') return;
    if (this.#phase === 'inside') this.#again('rollback');
    this.inner.handleError(error, connection);
  }

  /** pg takes the front of its queue when ReadyForQuery has come. */
  #again(phase: Phase): void {
    this.#phase = phase;
    this.lease.client._queryQueue.unshift(this);
  }

  protected override isHeard(): boolean {
    return this.#phase === 'inside' || this.#phase === 'bare';
  }
}

/** pg-cursor, and pg-query-stream, which holds one. */
export function isCursor(query: object): boolean {
  const cursor = cursorOf(query);
  return typeof cursor === 'object' && cursor !== null && '_getRows' in cursor && '_portal' in cursor;
}

function cursorOf(query: object): unknown {
  return 'cursor' in query ? query.cursor : query;
}
