import { type ClientConfig, DatabaseError } from 'pg';
import type { CarriedText } from './carried-text';
import { gatheringMessages } from './gathered-messages';
import { IDLE_IN_TRANSACTION } from './limit-errors';
import { BaseClient, type WireConnection } from './pg-internals';
import { isCleanSession, type TransactionSettings } from './settings';

/**
 * A connection of the tenants' pool. It knows who has it now, and how to send a tenant's settings along with a
 * statement: what PostgreSQL answers to them is heard here and told to nobody, so whatever sent the statement (a
 * query, a cursor, a stream) sees the answers to its own messages only.
 */
export class TenantClient extends BaseClient {
  /** The lease that has it now; `undefined` while it is idle in the pool. */
  lease: object | undefined;
  /** Whether a rider found something that was left in the session. */
  sessionIsDirty = false;
  /**
   * Whether the session is this connection's own, so that it may remember the rider's statement. Behind a pooler the
   * next transaction may be another session's. `undefined`: not known yet.
   */
  namesRider: boolean | undefined;
  /** Tenants whose tables the session has met, if the pool counts them. */
  readonly served = new Set<string>();
  /** Why PostgreSQL has closed the session of a transaction in which nothing was sent. */
  farewell: Error | undefined;
  /** The session's `standard_conforming_strings`, which PostgreSQL and poolers report. */
  standardStrings = true;
  /** For the messages of one statement. */
  readonly gathering = gatheringMessages(this.connection);
  /** How long statements took in all, in milliseconds. */
  busyMs = 0;
  #sentAt: number | undefined;
  #riderIsParsed = false;
  /** The answers to a rider of the extended protocol are still to come. */
  #isRiding = false;
  /** Whose answer each CommandComplete of a text is that carries settings. */
  #isSetting: boolean[] = [];

  constructor(config?: ClientConfig) {
    super(config);
    this.connection.on('parameterStatus', ({ parameterName, parameterValue }) => {
      if (parameterName === 'standard_conforming_strings') this.standardStrings = parameterValue !== 'off';
    });
  }

  /**
   * Writes the settings as the beginning of a message group of the extended protocol. The caller's own Parse, Bind
   * and Execute follow, and one Sync: PostgreSQL runs both in one transaction, or neither.
   */
  ride({ rider }: TransactionSettings, { stream }: WireConnection): void {
    if (!this.namesRider) {
      stream.write(rider.unnamed);
    } else {
      if (!this.#riderIsParsed) stream.write(rider.parse);
      stream.write(rider.execute);
    }
    this.#isRiding = true;
  }

  sendCarried({ text, isSetting }: CarriedText): void {
    this.connection.query(text);
    this.#isSetting = [...isSetting];
  }

  /** How long the statement has taken that is under way; 0 if there is none. */
  tookMs(): number {
    return this.#sentAt === undefined ? 0 : performance.now() - this.#sentAt;
  }

  inTransaction(): boolean {
    const status = this.getTransactionStatus();
    return status === 'T' || status === 'E';
  }

  /** Whether the last statement's callback has been called, but its ReadyForQuery has not come yet. */
  awaitsReady(): boolean {
    return (
      !this._activeQuery && this._queryQueue.length === 0 && this.readyForQuery === false && this._queryable
    );
  }

  /** Whether nothing is being answered and nothing waits to be sent. */
  isIdle(): boolean {
    return !this._activeQuery && this._queryQueue.length === 0 && this.readyForQuery !== false;
  }

  /** pg would take the rider's for the statement's own, and remember a named one whose Parse may yet fail. */
  override _handleParseComplete(): void {
    if (this.#isRiding) this.#riderIsParsed = this.namesRider === true;
    else super._handleParseComplete();
  }

  override _handleDataRow(message: { readonly fields: readonly unknown[] }): void {
    if (!this.#isRiding) super._handleDataRow(message);
    else if (!isCleanSession(message.fields)) this.sessionIsDirty = true;
  }

  override _handleCommandComplete(message: unknown): void {
    if (this.#isRiding) this.#isRiding = false;
    else if (this.#isSetting.shift() !== true) super._handleCommandComplete(message);
  }

  override _handleErrorMessage(message: unknown): void {
    if (!this._activeQuery && isFarewell(message)) {
      this.farewell = message;
      return;
    }
    // The rider's statement may be gone (DISCARD ALL) or taken (a pooler that came later): from now on without a name.
    if (this.#isRiding) this.namesRider = false;
    this.#isRiding = false;
    this.#isSetting = [];
    super._handleErrorMessage(message);
  }

  /**
   * A borrower that is told of the end by an event, as TypeORM is, gives the connection back, and all that it can say of
   * it later is that it has none. So it is told when it asks for something: its next statement is refused, with the reason.
   */
  override _handleErrorEvent(error: Error): void {
    if (!this.farewell || !this.lease) return super._handleErrorEvent(error);
    this._queryable = false;
    this._errorAllQueries(error);
  }

  /** Looks at the clock first: the server's may begin to run before pg has returned. */
  override _pulseQueryQueue(): void {
    if (this.readyForQuery === true && this._queryQueue.length > 0) this.#sentAt = performance.now();
    super._pulseQueryQueue();
  }

  override _handleReadyForQuery(message: unknown): void {
    this.busyMs += this.tookMs();
    this.#sentAt = undefined;
    super._handleReadyForQuery(message);
  }
}

function isFarewell(message: unknown): message is DatabaseError {
  return message instanceof DatabaseError && message.code === IDLE_IN_TRANSACTION;
}
