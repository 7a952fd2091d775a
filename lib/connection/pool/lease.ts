import { DatabaseError, type PoolClient, type QueryConfig, type QueryResult } from 'pg';
import { isOutage } from '../../common/outage';
import { type ContextFrame, frameKey, workOf, type TenantContext } from '../../context/tenant-context';
import {
  IdleTransactionError,
  LeaseEndedError,
  TenantContextMismatchError,
  UnreadableTextError,
  isAnswer,
} from '../connection.errors';
import type { Submittable } from '../protocol/foreign-query';
import { GivenStatement, type GiveText } from '../protocol/given-statement';
import { explainLimit, IDLE_IN_TRANSACTION } from './limit-errors';
import { type LEASE, LeaseHandle } from './lease-handle';
import type { QueryCallback } from '../protocol/pg-internals';
import { leavesSessionState } from '../protocol/session-state';
import type { TransactionParameters } from '../protocol/transaction-parameters';
import { isCursor, RidingCursor, textOf } from '../protocol/riding-cursor';
import { type StatementLease, TenantStatement } from '../protocol/tenant-statement';
import type { TenantClient } from '../protocol/tenant-client';
import { WrappedQuery } from '../protocol/wrapped-query';

/** Why a connection is destroyed at the end of a lease instead of going back to the pool. */
export type Doubt =
  | 'session state'
  | 'client-side error'
  | 'connection lost'
  | 'query in flight'
  | 'open transaction'
  | 'idle transaction'
  | 'told to';

/** The part of the pool that a lease calls. */
export interface LeasingPool {
  giveBack(lease: Lease, doubt: Doubt | undefined, error: Error | undefined): void;
  /** Begins a new lease of the connection for the caller's frame; `undefined` when it is the turn of another request. */
  handOver(lease: Lease): Lease | undefined;
  /** The error once it is known whether its tenant lives elsewhere by now; `undefined` when it cannot mean that. */
  explain(error: Error): Promise<Error> | undefined;
  /** With what the connection works for the caller's frame; `undefined` when it is the turn of another request. */
  join(): TransactionParameters | undefined;
}

export interface LeasedClient extends PoolClient {
  readonly [LEASE]: Lease;
}

const NOT_ASCII = /[\u0080-\uffff]/;

/** Characters of a statement that a warning shows. */
const SHOWN_TEXT = 100;

/**
 * One checkout of a connection for one tenant, from the pool's `connect` to `release`.
 *
 * The borrower gets `handle`: the pg client in every respect, except that `query` and `release` are this lease's
 * own. A handle that is kept after its release can neither query nor release a connection that others now use.
 */
export class Lease implements StatementLease {
  #handle: LeaseHandle | undefined;
  /** The piece of work that checked it out. */
  readonly work: object;
  #doubt: Doubt | undefined;
  #released = false;
  #lastText: unknown;

  constructor(
    readonly client: TenantClient,
    private readonly frame: ContextFrame,
    readonly parameters: TransactionParameters,
    private readonly context: TenantContext,
    private readonly pool: LeasingPool,
  ) {
    this.work = workOf(frame);
    client.lend(this, frameKey(frame));
    client.on('error', this.#onConnectionError);
  }

  /** Made when it is asked for: a lease that is handed over and used by code of this package needs none. */
  get handle(): LeasedClient {
    if (!this.#handle) {
      this.#handle = new LeaseHandle(this.client, this);
      if (this.#released) this.#handle.takeOff();
    }
    return this.#handle.proxy as LeasedClient;
  }

  refusal(text?: unknown): Error | undefined {
    const { lease, farewell, readsUtf8 } = this.client;
    if (lease !== this) return new LeaseEndedError();
    if (farewell) return new IdleTransactionError({ cause: farewell });
    return readsUtf8 || typeof text !== 'string' || !NOT_ASCII.test(text)
      ? undefined
      : new UnreadableTextError();
  }

  /** Whether it stays checked out after the current statement: for a transaction, or for the rows of a cursor. */
  get isKept(): boolean {
    return this.client.inTransaction() || this.client._activeQuery instanceof RidingCursor;
  }

  /** Who has it, as a warning says it. */
  get holder(): string {
    return this.frame.tenant ? `tenant "${this.frame.tenant.slug}"` : `the ${frameKey(this.frame)}`;
  }

  /** What it is used for, as a warning says it. */
  get state(): string {
    const doing = this.client.isIdle() ? 'nothing is under way' : 'a statement is under way';
    const within = this.client.inTransaction() ? ' in an open transaction' : '';
    const text = typeof this.#lastText === 'string' ? this.#lastText.replaceAll(/\s+/g, ' ').trim() : '';
    return `${doing}${within}${text && `, the last one being: ${text.slice(0, SHOWN_TEXT)}`}`;
  }

  get isSystem(): boolean {
    return this.frame.system === true;
  }

  /** Has the connection destroyed when the lease ends. */
  doubt(cause: Doubt): void {
    this.#doubt ??= cause;
  }

  heedText(text: unknown): void {
    this.#lastText = text;
    if (typeof text === 'string' && leavesSessionState(text, this.client.standardStrings))
      this.doubt('session state');
  }

  heed(error: Error): Error {
    // The error comes from this process (a timeout, a value that cannot be sent): what the server does meanwhile is unknown.
    if (!isAnswer(error)) this.doubt('client-side error');
    // PostgreSQL sends this error before it closes the socket: the next borrower would find it closed.
    else if (error instanceof DatabaseError && error.code === IDLE_IN_TRANSACTION)
      this.doubt('idle transaction');
    else if (isOutage(error)) this.doubt('connection lost');
    return explainLimit(error, this.parameters, this.client.tookMs());
  }

  /** Node ends the process over an `error` event that nobody hears, and not every borrower listens. */
  readonly #onConnectionError = (): void => this.doubt('connection lost');

  /** Ends the lease. With an error, or after any doubt, the connection is destroyed. */
  readonly release = (error?: Error | boolean): void => {
    if (this.#released) {
      throw new Error('Release called on client which has already been released to the pool.');
    }
    this.#released = true;
    this.client.takeBack();
    if (error) this.doubt('told to');
    if (this.#doubt === undefined && this.client.awaitsReady()) this.#endWhenReady();
    else this.#end(error);
  };

  /**
   * Hands the connection over to the caller's frame in the middle of a transaction: the new holder ends that and begins
   * another one. `undefined`, and nothing is changed, when something is left of this lease but its open transaction, or when
   * it is the turn of another request.
   */
  handOver(): Lease | undefined {
    const { client } = this;
    if (!this.#isClean || client.getTransactionStatus() !== 'T') return undefined;
    const next = this.pool.handOver(this);
    if (!next) return undefined;
    this.#released = true;
    client.removeListener('error', this.#onConnectionError);
    this.#handle?.takeOff();
    return next;
  }

  /** Whether it has left nothing in the session, as far as that shows, and nothing is under way. */
  get #isClean(): boolean {
    const { client } = this;
    const isClean =
      this.#doubt === undefined && !client.farewell && !client.hasChangedParameters && !client.hasNames;
    return isClean && !this.#released && client.isIdle();
  }

  /** Whether it may go on with another text of several transactions: see `join`. */
  get mayGoOn(): boolean {
    return this.#isClean && this.client.hasOwnSession && this.client.getTransactionStatus() === 'I';
  }

  /**
   * With what a transaction of the caller's frame works, for code of this package that sends several of them in one text;
   * `undefined` when it is not to work for that now.
   */
  join(): TransactionParameters | undefined {
    return this.pool.join();
  }

  /** Sends a text of code of this package. */
  send(give: GiveText): Promise<QueryResult | QueryResult[]> {
    return new Promise((resolve, reject) => {
      const query = new GivenStatement(this, give, (error, result) =>
        error ? this.#tell(query.explain(error), reject) : resolve(result),
      );
      this.#send(query, this.refusal() ?? this.#mismatch(this.context.frame()));
    });
  }

  /** Tells an error at once, but one that may mean that the tenant has moved: that is asked for first. */
  #tell(error: Error, tell: (error: Error) => void): void {
    const explained = this.pool.explain(error);
    if (explained) void explained.then(tell);
    else tell(error);
  }

  /** Waits for ReadyForQuery, which tells the transaction's status: pg calls back before it has come. */
  #endWhenReady(): void {
    const end = (): void => {
      this.client.removeListener('drain', end).removeListener('end', end);
      this.#end();
    };
    this.client.once('drain', end).once('end', end);
  }

  #end(error?: Error | boolean): void {
    if (!error) this.#doubtUnlessClean();
    this.client.removeListener('error', this.#onConnectionError);
    // The listeners stay on a connection that is destroyed, so that the borrower hears its end.
    if (this.#doubt === undefined) this.#handle?.takeOff();
    this.pool.giveBack(this, this.#doubt, error instanceof Error ? error : undefined);
  }

  /** A statement that is still queued would run for the next tenant. */
  #doubtUnlessClean(): void {
    // A standby that was promoted has to be looked at again, as a server that was lost: it is nobody's replica.
    if (this.client.isPromoted) this.doubt('connection lost');
    else if (this.client.farewell) this.doubt('idle transaction');
    else if (!this.client.isIdle()) this.doubt('query in flight');
    else if (this.client.inTransaction()) this.doubt('open transaction');
    else if (this.client.hasChangedParameters || this.client.cannotBeEmptied) this.doubt('session state');
  }

  readonly query = (
    config: string | QueryConfig | Submittable,
    values?: unknown,
    callback?: unknown,
  ): Promise<QueryResult> | Submittable | undefined => {
    const caller = this.context.frame();
    if (config !== null && typeof config === 'object' && 'submit' in config) {
      return this.#queryForeign(config, values, callback, caller);
    }
    const query = new TenantStatement(this, config, values, callback);
    const refusal = this.refusal() ?? this.#mismatch(caller);
    if (query.callback) {
      const tell = this.#inFrame(caller, query.callback);
      query.callback = (error, result) =>
        error ? this.#tell(query.explain(error), (told) => tell(told, result)) : tell(error, result);
      this.#send(query, refusal);
      return undefined;
    }
    return new Promise<QueryResult>((resolve, reject) => {
      query.callback = (error, result) =>
        error ? this.#tell(query.explain(error), reject) : resolve(result);
      this.#send(query, refusal);
    }).catch((error: Error) => {
      // The stack of the socket is of no use; the caller's shows which statement failed.
      Error.captureStackTrace(error);
      throw error;
    });
  };

  #send(query: TenantStatement | GivenStatement, refusal: Error | undefined): void {
    if (refusal) process.nextTick(() => query.callback?.(refusal, undefined as unknown as QueryResult));
    else this.client.query(query);
  }

  #queryForeign(
    query: Submittable,
    values: unknown,
    callback: unknown,
    caller: ContextFrame | undefined,
  ): Submittable {
    const ownCallback = typeof values === 'function' ? values : callback;
    if (ownCallback !== undefined) query.callback ??= this.#inFrame(caller, ownCallback as QueryCallback);
    const refusal = this.refusal() ?? this.#mismatch(caller);
    if (refusal) {
      process.nextTick(() => query.handleError(refusal, this.client.connection));
      return query;
    }
    this.heedText(textOf(query));
    this.client.query(isCursor(query) ? new RidingCursor(this, query) : new WrappedQuery(this, query));
    return query;
  }

  /** Refuses code that runs for another tenant. Code that lost its context (an event's listener) works for the lease's tenant. */
  #mismatch(caller: ContextFrame | undefined): Error | undefined {
    const callerKey = frameKey(caller);
    const ownKey = frameKey(this.frame);
    if (callerKey === undefined || callerKey === ownKey) return undefined;
    return new TenantContextMismatchError(String(ownKey), callerKey);
  }

  /** Without this, a callback would run in the context in which the socket was opened. */
  #inFrame(frame: ContextFrame | undefined, callback: QueryCallback): QueryCallback {
    return (error, result) => this.context.runInFrame(frame, () => callback(error, result));
  }
}
