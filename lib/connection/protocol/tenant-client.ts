import { type ClientConfig, DatabaseError } from 'pg';
import { type CarriedText, mayEndTransaction } from './transaction-text';
import { type Answered, gatheringMessages, type Rider } from './rider';
import type { SchemaCheck, TransactionParameters } from './transaction-parameters';
import { IDLE_IN_TRANSACTION } from '../pool/limit-errors';
import { BaseClient, type WireConnection } from './pg-internals';
import { SessionNotCleanError } from '../connection.errors';
import {
  type Emptying,
  emptyingOf,
  NamedStatements,
  ReportedParameters,
  SOMETHING_FIRST,
} from './session-contents';

const NONE: readonly Answered[] = [];

/** PostgreSQL leaves the old name as it was set. */
const UTF8: ReadonlySet<string> = new Set(['UTF8', 'UNICODE']);

/**
 * A connection of the tenants' pool. It knows who has it now, and how to send a tenant's parameters along with a
 * statement. PostgreSQL's answers to them are read here and not passed on, so whatever sent the statement (a
 * query, a cursor, a stream) sees the answers to its own messages only.
 */
export class TenantClient extends BaseClient {
  #lease: object | undefined;
  /** Whether the session was emptied during this lease, and cannot be exchanged for another before the lease ends. */
  #isEmptied = false;
  /** Whether the transaction that is under way empties it. If that is rolled back, so are the temporary tables. */
  #isEmptying = false;
  /** Whether it could not be emptied. */
  cannotBeEmptied = false;
  /** Whether the tenant's schema was there since the transaction began that is open. */
  #isChecked = false;
  /**
   * Whether the session is this connection's own. Behind a pooler the next transaction may be another session's. False
   * while it is not known.
   */
  hasOwnSession = false;
  readonly #names = new NamedStatements(this.connection);
  /** Tenants whose tables the session has met, if the pool counts them. */
  readonly served = new Set<string>();
  /** Why PostgreSQL has closed the session of a transaction in which nothing was sent. */
  farewell: Error | undefined;
  /** The session's `standard_conforming_strings`, which PostgreSQL and poolers report. */
  standardStrings = true;
  /** Whether PostgreSQL takes a message group for a transaction block from its second statement on, as from version 18 on. */
  #hasGroupBlocks = false;
  /** Whether the session reads texts as they are sent. In Shift JIS, for one, a letter may take the quote behind it along. */
  readsUtf8 = true;
  readonly #reported = new ReportedParameters();
  /** For the messages of one statement. */
  readonly gathering = gatheringMessages(this.connection);
  /** How long statements took in all, in milliseconds. */
  busyMs = 0;
  #sentAt: number | undefined;
  /** How many ParseCompletes are still to come that answer what we sent along. */
  #parsing = 0;
  /** What each CommandComplete answers that is still to come; beyond these, the caller's own. */
  #answers: readonly Answered[] = NONE;
  /** How many of these have come. */
  #answersSeen = 0;
  /** The schema check that was sent last. */
  #check: SchemaCheck | undefined;
  /** How many statements of the text that was carried last have not been answered: after an error, from the one that failed. */
  unanswered = 0;

  /** The lease that has it now; `undefined` while it is idle in the pool. */
  get lease(): object | undefined {
    return this.#lease;
  }

  /** @param holder the key of the frame that it is for */
  lend(lease: object, holder: string | undefined): void {
    this.#lease = lease;
    this.#names.lend(holder);
    this.#isEmptied = false;
  }

  takeBack(): void {
    this.#lease = undefined;
  }

  /** Whether time zone, encoding and so on differ from what the session began with. Behind a pooler this is the pooler's task. */
  get hasChangedParameters(): boolean {
    return this.hasOwnSession && this.#reported.areChanged(this.inTransaction());
  }

  /** See `ReportedParameters.isPromoted`. Poolers do not tell of it. */
  get isPromoted(): boolean {
    return this.#reported.isPromoted;
  }

  constructor(config?: ClientConfig) {
    super(config);
    this.connection.on('parameterStatus', (status) => {
      const { parameterName, parameterValue } = status;
      this.#reported.note(status);
      if (parameterName === 'standard_conforming_strings') this.standardStrings = parameterValue !== 'off';
      if (parameterName === 'server_version') this.#hasGroupBlocks = parseInt(parameterValue) >= 18;
      if (parameterName === 'client_encoding') this.readsUtf8 = UTF8.has(parameterValue);
    });
  }

  /**
   * Writes the parameters as the beginning of a message group of the extended protocol. The caller's own Parse, Bind
   * and Execute follow, and one Sync: PostgreSQL runs both in one transaction, or neither. In a transaction that has the
   * parameters, what it still owes is written.
   *
   * @param text the caller's own
   */
  ride(parameters: TransactionParameters, { stream }: WireConnection, text: unknown): void {
    this.#check = parameters.schemaCheck;
    if (this.inTransaction()) {
      if (this.owesCheck(parameters)) this.#write(stream, parameters.schemaCheck!.rider);
      return;
    }
    this.#write(stream, parameters.rider(this.#hasGroupBlocks, this.#ahead(parameters, text)));
  }

  /** What goes ahead of the parameters: what empties the session, or what keeps PostgreSQL from a warning. */
  #ahead(parameters: TransactionParameters, text: unknown): Rider | undefined {
    if (!this.#isToBeEmptied(parameters))
      return parameters.areSet(this.#hasGroupBlocks) ? SOMETHING_FIRST.rider : undefined;
    const { rider, committedRider } = this.#emptying();
    // In a transaction block PostgreSQL refuses what would end it in the middle.
    this.#isEmptying = this.#hasGroupBlocks || !mayEndTransaction(text);
    return this.#isEmptying ? rider : committedRider;
  }

  #write(stream: WireConnection['stream'], { bytes, parses, answers }: Rider): void {
    stream.write(bytes);
    this.#parsing = parses;
    this.#await(answers);
  }

  #await(answers: readonly Answered[]): void {
    this.#answers = answers;
    this.#answersSeen = 0;
  }

  /** @returns what was sent */
  sendCarried({ text, answers }: CarriedText, parameters: TransactionParameters): string {
    this.#check = parameters.schemaCheck;
    const isEmptied = !this.inTransaction() && this.#isToBeEmptied(parameters);
    const emptying = isEmptied ? this.#emptying() : undefined;
    this.#await([...(emptying?.committedRider.answers ?? []), ...answers]);
    this.unanswered = this.#answers.length;
    const sent = emptying ? emptying.text + text : text;
    this.connection.query(sent);
    return sent;
  }

  /** What is to be sent to empty the session. A pooler's holds no named statements of ours. */
  #emptying(): Emptying {
    return emptyingOf({
      statements: this.hasOwnSession && this.#names.drop(),
      path: this.path === undefined,
    });
  }

  /**
   * The session's path, as it was when the last message was answered. `undefined` before PostgreSQL 18, which does not tell of
   * it, and behind a pooler.
   */
  get path(): string | undefined {
    return this.hasOwnSession ? this.#reported.get('search_path') : undefined;
  }

  /** What empties it of all but named statements. */
  get emptyingButNames(): Emptying {
    return emptyingOf({ statements: false, path: this.path === undefined });
  }

  /** Whether the application has sent statements by name. */
  get hasNames(): boolean {
    return this.#names.areUsed;
  }

  /** Code of this package has prepared a statement, which is of use to nobody after it. */
  notePrepared(): void {
    this.#names.noteOurs();
  }

  /** The text of a named statement, which may be asked for by its name alone. */
  textOf(query: { readonly text?: unknown; readonly name?: string }): unknown {
    return this.#names.textOf(query);
  }

  /** What a lease leaves in its own session is there for the rest of it; a pooler may give another each time. */
  #isToBeEmptied({ needEmptySession }: TransactionParameters): boolean {
    return needEmptySession && !(this.hasOwnSession && this.#isEmptied);
  }

  /** Whether an open transaction has yet to look whether the tenant's schema is there. One that has failed runs nothing. */
  owesCheck({ schemaCheck }: TransactionParameters): boolean {
    return schemaCheck !== undefined && !this.#isChecked && this.getTransactionStatus() === 'T';
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
    if (this.#parsing > 0) this.#parsing--;
    else super._handleParseComplete();
  }

  get #nextAnswer(): Answered {
    return this.#answersSeen < this.#answers.length ? this.#answers[this.#answersSeen] : 'own';
  }

  get #answersOwn(): boolean {
    return this.#nextAnswer === 'own';
  }

  override _handleRowDescription(message: unknown): void {
    if (this.#answersOwn) super._handleRowDescription(message);
  }

  override _handleDataRow(message: unknown): void {
    if (this.#answersOwn) super._handleDataRow(message);
  }

  override _handleCommandComplete(message: unknown): void {
    const answered = this.#nextAnswer;
    if (this.#answersSeen < this.#answers.length) this.#answersSeen++;
    this.unanswered = this.#answers.length - this.#answersSeen;
    if (answered === 'own') {
      // What emptied the session in the same transaction is rolled back, though nothing has failed.
      if ((message as { readonly text?: string }).text === 'ROLLBACK') this.#isEmptying = false;
      return super._handleCommandComplete(message);
    }
    if (answered === 'emptied') {
      this.#reported.begin();
      this.#names.noteEmptied();
      if (!this.#isEmptying) this.#isEmptied = true;
    }
    // Parameters are sent where a transaction begins.
    this.#isChecked = answered === 'check';
  }

  override _handleErrorMessage(message: unknown): void {
    if (!this._activeQuery && isFarewell(message)) {
      this.farewell = message;
      return;
    }
    const answered = this.#nextAnswer;
    this.#await(NONE);
    this.#parsing = 0;
    this.#isEmptying = false;
    super._handleErrorMessage(message instanceof DatabaseError ? this.#explain(message, answered) : message);
  }

  #explain(error: DatabaseError, answered: Answered): Error {
    if (answered === 'own' || answered === 'unread') return error;
    const missing = this.#check?.explain(error);
    if (missing) return missing;
    // PostgreSQL reads a text before it runs any of it, and says where in it something is that it cannot read.
    if (!isEmptying(answered) || error.position !== undefined) return error;
    this.cannotBeEmptied = true;
    return new SessionNotCleanError({ cause: error });
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
    if (this.#isEmptying) this.#isEmptied = true;
    this.#isEmptying = false;
    this.busyMs += this.tookMs();
    this.#sentAt = undefined;
    super._handleReadyForQuery(message);
  }
}

function isEmptying(answered: Answered): boolean {
  return answered === 'emptying' || answered === 'emptied';
}

function isFarewell(message: unknown): message is DatabaseError {
  return message instanceof DatabaseError && message.code === IDLE_IN_TRANSACTION;
}
