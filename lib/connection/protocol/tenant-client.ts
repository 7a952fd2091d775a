import { type ClientConfig, DatabaseError } from 'pg';
import type { Answered, CarriedText } from './carried-text';
import { gatheringMessages } from './gathered-messages';
import { IDLE_IN_TRANSACTION } from '../pool/limit-errors';
import { BaseClient, type WireConnection, type ParameterStatus } from './pg-internals';
import { SessionNotCleanError } from '../connection.errors';
import type { SchemaCheck } from './schema-check';
import { type Probe, PROBE_RAISES, probeText } from './session-checks';
import type { TransactionParameters } from './transaction-parameters';

/** PostgreSQL leaves the old name as it was set. */
const UTF8: ReadonlySet<string> = new Set(['UTF8', 'UNICODE']);

/**
 * A connection of the tenants' pool. It knows who has it now, and how to send a tenant's parameters along with a
 * statement. PostgreSQL's answers to them are read here and not passed on, so whatever sent the statement (a
 * query, a cursor, a stream) sees the answers to its own messages only.
 */
export class TenantClient extends BaseClient {
  #lease: object | undefined;
  /** Whether the session was probed during this lease, and cannot be exchanged for another before the lease ends. */
  #isProbed = false;
  /** Whether the tenant's schema was there since the transaction began that is open. */
  #isChecked = false;
  /** How often in a row the session was refused. */
  refusals = 0;
  /** Whether the session has been refused: a quick look may then go on finding what is not there any more. */
  #wasRefused = false;
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
  /** Whether the session reads texts as they are sent. In Shift JIS, for one, a letter may take the quote behind it along. */
  readsUtf8 = true;
  readonly #reported = new ReportedParameters();
  /** For the messages of one statement. */
  readonly gathering = gatheringMessages(this.connection);
  /** How long statements took in all, in milliseconds. */
  busyMs = 0;
  #sentAt: number | undefined;
  /** Names of riders that the session remembers. */
  readonly #parsed = new Set<string>();
  /** Names of those whose ParseComplete is still to come; empty for one without. */
  #parsing: string[] = [];
  /** What each CommandComplete answers that is still to come; beyond these, the caller's own. */
  #answers: Answered[] = [];
  /** The schema check that was sent last. */
  #check: SchemaCheck | undefined;
  /** How many statements of the text that was carried last have not been answered: after an error, from the one that failed. */
  unanswered = 0;

  /** The lease that has it now; `undefined` while it is idle in the pool. */
  get lease(): object | undefined {
    return this.#lease;
  }

  set lease(lease: object | undefined) {
    this.#lease = lease;
    this.#isProbed = false;
    this.refusals = 0;
  }

  get hasOwnSession(): boolean {
    return this.namesRider !== undefined;
  }

  /** Whether time zone, encoding and so on differ from what the session began with. Behind a pooler this is the pooler's task. */
  get hasChangedParameters(): boolean {
    return this.hasOwnSession && this.#reported.areChanged(this.inTransaction());
  }

  constructor(config?: ClientConfig) {
    super(config);
    this.connection.on('parameterStatus', (status) => {
      const { parameterName, parameterValue } = status;
      this.#reported.note(status);
      if (parameterName === 'standard_conforming_strings') this.standardStrings = parameterValue !== 'off';
      if (parameterName === 'client_encoding') this.readsUtf8 = UTF8.has(parameterValue);
    });
  }

  /**
   * Writes the parameters as the beginning of a message group of the extended protocol. The caller's own Parse, Bind
   * and Execute follow, and one Sync: PostgreSQL runs both in one transaction, or neither. In a transaction that has the
   * parameters, what it still owes is written.
   */
  ride(parameters: TransactionParameters, { stream }: WireConnection): void {
    this.#check = parameters.schemaCheck;
    if (this.inTransaction()) {
      if (!this.owesCheck(parameters)) return;
      stream.write(parameters.schemaCheck!.rider.unnamed);
      this.#parsing.push('');
      this.#answers.push('check');
      return;
    }
    const probe = this.#probeOf(parameters);
    const rider = parameters.rider(probe);
    if (this.namesRider) {
      for (const name of rider.names) {
        if (this.#parsed.has(name)) continue;
        stream.write(rider.parse(name));
        this.#parsing.push(name);
      }
      stream.write(rider.execute);
    } else {
      stream.write(rider.unnamed);
      this.#parsing.push(...rider.names.map(() => ''));
    }
    if (probe) this.#answers.push('parameter', 'probe');
    else this.#answers.push('parameter');
  }

  /** @returns what was sent */
  sendCarried({ text, answers }: CarriedText, parameters: TransactionParameters): string {
    this.#check = parameters.schemaCheck;
    const probe = this.inTransaction() ? undefined : this.#probeOf(parameters);
    // CLOSE ALL, the probe, BEGIN, COMMIT.
    this.#answers = probe ? ['parameter', 'probe', 'parameter', 'parameter', ...answers] : [...answers];
    this.unanswered = this.#answers.length;
    const sent = probe ? probeText(probe) + text : text;
    this.connection.query(sent);
    return sent;
  }

  /** How closely a session is looked at in which something was found before, or nothing. */
  get probe(): Probe {
    return this.#wasRefused ? 'thorough' : 'quick';
  }

  /** What a lease leaves in its own session is there for the rest of it; a pooler may give another each time. */
  #probeOf({ areProbed }: TransactionParameters): Probe | undefined {
    if (!areProbed || (this.hasOwnSession && this.#isProbed)) return undefined;
    return this.probe;
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
    const name = this.#parsing.shift();
    if (name === undefined) super._handleParseComplete();
    else if (name !== '') this.#parsed.add(name);
  }

  get #answersOwn(): boolean {
    return (this.#answers[0] ?? 'own') === 'own';
  }

  override _handleRowDescription(message: unknown): void {
    if (this.#answersOwn) super._handleRowDescription(message);
  }

  override _handleDataRow(message: unknown): void {
    if (this.#answersOwn) super._handleDataRow(message);
  }

  override _handleCommandComplete(message: unknown): void {
    const answered = this.#answers.shift() ?? 'own';
    this.unanswered = this.#answers.length;
    if (answered === 'own') return super._handleCommandComplete(message);
    // Parameters are sent where a transaction begins.
    if (answered !== 'probe') return void (this.#isChecked = answered === 'check');
    this.#isProbed = true;
    this.refusals = 0;
    this.#reported.begin();
  }

  override _handleErrorMessage(message: unknown): void {
    if (!this._activeQuery && isFarewell(message)) {
      this.farewell = message;
      return;
    }
    const isRiders = !this.#answersOwn && this.#answers[0] !== 'unread';
    const isRefusal = this.#answers[0] === 'probe' && hasCode(message, PROBE_RAISES);
    this.#answers = [];
    const missing = isRiders && message instanceof DatabaseError && this.#check?.explain(message);
    if (missing) {
      this.#parsing = [];
      return super._handleErrorMessage(missing);
    }
    if (isRefusal) {
      this.#wasRefused = true;
      this.refusals++;
      return super._handleErrorMessage(new SessionNotCleanError({ cause: message }));
    }
    // The rider's statement may be gone (DISCARD ALL) or taken (a pooler that came later): from now on without a name.
    if (isRiders || this.#parsing.length > 0) this.namesRider &&= false;
    this.#parsing = [];
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
  return hasCode(message, IDLE_IN_TRANSACTION);
}

function hasCode(message: unknown, code: string): message is DatabaseError {
  return message instanceof DatabaseError && message.code === code;
}

/** Changes when a standby is promoted, whatever the session does. */
const NOT_THE_SESSIONS_OWN = 'in_hot_standby';

/** Change with what a tenant's transaction sets for itself, and back with its end: PostgreSQL 18 tells of the path, too. */
const RIDING: ReadonlySet<string> = new Set(['search_path', 'is_superuser']);

/**
 * The parameters that PostgreSQL tells its clients, when a session begins and whenever one has changed: `TimeZone`,
 * `DateStyle`, `client_encoding`, `default_transaction_read_only` and others.
 */
class ReportedParameters {
  readonly #values = new Map<string, string>();
  #initial: ReadonlyMap<string, string> | undefined;

  note({ parameterName, parameterValue }: ParameterStatus): void {
    this.#values.set(parameterName, parameterValue);
  }

  /** The session begins to work for tenants: what it was given before, also by a listener for `connect`, is its own. */
  begin(): void {
    this.#initial ??= new Map(this.#values);
  }

  /** Whether one of them is not what the session began with. `inTransaction`: but for those that ride with a tenant. */
  areChanged(inTransaction = false): boolean {
    const initial = this.#initial;
    if (!initial) return false;
    for (const [name, value] of this.#values) {
      if (name === NOT_THE_SESSIONS_OWN || (inTransaction && RIDING.has(name))) continue;
      if (initial.get(name) !== value) return true;
    }
    return false;
  }
}
