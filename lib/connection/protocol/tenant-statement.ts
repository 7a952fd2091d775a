import { DatabaseError, type QueryConfig } from 'pg';
import {
  carriedText,
  leavesCommitOpen,
  mayEndTransaction,
  takesSnapshot,
  transactionCommands,
} from './transaction-text';
import { CommitOutcomeUnknownError } from '../connection.errors';
import { addHint, REFUSES_TRANSACTION } from './hints';
import { BaseQuery, type WireConnection } from './pg-internals';
import type { TransactionParameters } from './transaction-parameters';
import type { TenantClient } from './tenant-client';

/** invalid_sql_statement_name, duplicate_prepared_statement: code of the tenant's own has changed what the session knows. */
const NAME_ERRORS: ReadonlySet<string> = new Set(['26000', '42P05']);

/**
 * How a statement is sent: `bare`, as pg would; `riding`, with the parameters in front of it in the same message group;
 * `carried`, as a text with the parameters in it; `single`, so that PostgreSQL takes it for one statement or refuses it,
 * behind what its transaction still owes.
 */
type Mode = 'bare' | 'riding' | 'carried' | 'single';

/** The parts of a lease that a statement uses. */
export interface StatementLease {
  readonly client: TenantClient;
  /** Why a statement must not be sent now, if it must not. `text`: its own, if it is known. */
  refusal(text?: unknown): Error | undefined;
  /** What makes a transaction the tenant's. */
  readonly parameters: TransactionParameters;
  /**
   * Whether the statement runs for the system: if it refuses to run in a transaction, it may be sent without
   * parameters.
   */
  readonly isSystem: boolean;
  /** Notes what a statement that is about to be sent may leave behind. */
  heedText(text: unknown): void;
  /** Notes what an error says about the connection. Returns the error for the caller. */
  heed(error: Error): Error;
}

/**
 * A statement that carries its tenant. Outside a transaction the lease's parameters travel in front of it in the same
 * Sync group, so PostgreSQL runs both in one transaction of their own or neither, in one round trip. Inside a
 * transaction the parameters already hold, and the statement goes bare, but for the check of the schema before the first.
 *
 * All is decided in `submit`, when the statement is really sent: a COMMIT that was queued before it has been answered
 * by then.
 */
export class TenantStatement extends BaseQuery {
  readonly #lease: StatementLease;
  #mode: Mode = 'bare';
  /** `emptying`: what PostgreSQL refused to run in a transaction is sent without parameters, after that. */
  #refusesParameters: 'no' | 'emptying' | 'yes' = 'no';
  #isSent = false;

  constructor(lease: StatementLease, config: string | QueryConfig, values?: unknown, callback?: unknown) {
    super(config, values, callback);
    this.#lease = lease;
    if (typeof config === 'object')
      this.query_timeout = (config as { readonly query_timeout?: number }).query_timeout;
  }

  override submit(connection: WireConnection): Error | null {
    const { client, parameters } = this.#lease;
    this.text = client.textOf(this) as string;
    const refusal = this.#lease.refusal(this.text) ?? this.#unknownName();
    if (refusal) return refusal;
    this.#isSent = true;
    this.#lease.heedText(this.text);
    // Behind a pooler a name lives in a session that the next transaction may not get, or that knows it already.
    if (!client.hasOwnSession) this.name = undefined;
    if (this.#refusesParameters === 'emptying') {
      // It will run as whoever the session is, and a function may have left a role there.
      client.sendCarried({ text: 'RESET ROLE', answers: ['parameter'] }, parameters);
      return null;
    }
    this.#mode = this.#send();
    if (this.#mode === 'carried') return null;
    return super.submit(this.requiresPreparation() ? this.#lease.client.gathering : connection);
  }

  /** PostgreSQL would be sent an empty text, and succeed. */
  #unknownName(): Error | undefined {
    if (this.text || !this.name) return undefined;
    return new Error(
      `No text of the statement "${this.name}" is known: nothing was sent by that name on this connection for this tenant. Send its text with the name.`,
    );
  }

  /** Sends the text at once if it must carry parameters. Otherwise says how the statement is to be sent. */
  #send(): Mode {
    const { client, parameters } = this.#lease;
    if (this.#refusesParameters === 'yes') return 'bare';
    if (!this.text) return this.#owesCheck() ? 'single' : 'bare';
    const inTransaction = client.inTransaction();
    const carried = this.#carriedText();
    if (!carried) return !inTransaction ? 'riding' : this.#owesCheck() ? 'single' : 'bare';
    if (carried === 'unreadable') return inTransaction ? 'single' : 'riding';
    client.sendCarried(carried, parameters);
    return 'carried';
  }

  #carriedText(): ReturnType<typeof carriedText> {
    const { client, parameters } = this.#lease;
    return this.#mayBeCarried() ? carriedText(this.text, parameters, client) : undefined;
  }

  #owesCheck(): boolean {
    const { client, parameters } = this.#lease;
    return client.owesCheck(parameters) && takesSnapshot(this.text);
  }

  /** The parameters cannot ride behind a statement: after BEGIN and AND CHAIN they need a text, however it is asked for. */
  #mayBeCarried(): boolean {
    if (!super.requiresPreparation()) return true;
    const command = transactionCommands(this.text, this.#lease.client.standardStrings)?.[0];
    return command === 'begin' || command === 'chain';
  }

  override requiresPreparation(): boolean {
    return this.#mode === 'riding' || this.#mode === 'single' || super.requiresPreparation();
  }

  /** Called by pg between cork and uncork. */
  override prepare(connection: WireConnection): void {
    if (this.#mode === 'riding' || this.#mode === 'single')
      this.#lease.client.ride(this.#lease.parameters, connection, this.text);
    // A function may have given the name to another statement. To forget one that is not there is no error.
    if (this.name !== undefined && !this.hasBeenParsed(connection))
      connection.close({ type: 'S', name: this.name });
    super.prepare(connection);
  }

  override handleReadyForQuery(connection: WireConnection): void {
    if (this.#refusesParameters !== 'emptying') return super.handleReadyForQuery(connection);
    this.#refusesParameters = 'yes';
    this.#lease.client._queryQueue.unshift(this);
  }

  /** A COPY without a stream. PostgreSQL has taken the Sync behind it for a part of what is copied, and waits for another. */
  override handleCopyInResponse(connection: WireConnection): void {
    super.handleCopyInResponse(connection);
    if (this.requiresPreparation()) connection.sync();
  }

  override handleError(error: Error, connection: WireConnection): void {
    if (error instanceof DatabaseError) {
      if (this.#canRunAgain(error)) return void this.#lease.client._queryQueue.unshift(this);
      if (this.#mode !== 'bare') addHint(error, this.#lease.parameters.values.role);
    }
    super.handleError(this.#lease.heed(error), connection);
  }

  /** The error for the caller: when PostgreSQL has not answered a COMMIT, that its outcome is unknown. */
  explain(error: Error): Error {
    return this.#isSent && leavesCommitOpen(error, this.text, this.#lease.client.standardStrings)
      ? new CommitOutcomeUnknownError({ cause: error })
      : error;
  }

  /**
   * Whether nothing of it is kept, and it may succeed if it is sent in another way. Of a text with several statements, and
   * of a procedure, a part may have been committed, so it is never sent twice.
   */
  #canRunAgain({ code, routine }: DatabaseError): boolean {
    if (this.#mode !== 'riding' || mayEndTransaction(this.text)) return false;
    if (code === REFUSES_TRANSACTION && this.#lease.isSystem) {
      this.#refusesParameters = 'emptying';
      return true;
    }
    if (NAME_ERRORS.has(code ?? '') && this.name !== undefined) {
      this.name = undefined;
      return true;
    }
    // Named and parsed for one tenant, refused for another whose columns differ, as in the middle of a rollout.
    if (routine === 'RevalidateCachedQuery' && this.name !== undefined) {
      this.name = undefined;
      return true;
    }
    return false;
  }
}
