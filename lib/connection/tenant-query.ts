import { DatabaseError, type QueryConfig } from 'pg';
import { addHint } from './hints';
import type { StatementLease } from './statement-lease';
import { BaseQuery, type WireConnection } from './pg-internals';
import type { TransactionSettings } from './settings';

/** `BEGIN` or `START TRANSACTION` with its modes, and what follows the first semicolon. */
const OPENS_TRANSACTION = /^\s*((?:begin|start\s+transaction)\b[\w\s,]*)(?:;([\s\S]*))?$/i;

/** A semicolon with something after it. One inside a string counts too: such a text only takes the other way. */
const SEVERAL_STATEMENTS = /;(?=\s*\S)/;

/**
 * A statement that carries its tenant. Outside a transaction the lease's settings travel in front of it in the same
 * Sync group, so PostgreSQL runs both in one transaction of their own or neither, in one round trip. Inside a
 * transaction the settings already hold, and the statement goes bare.
 *
 * All is decided in `submit`, when the statement is really sent: a COMMIT that was queued before it has been answered
 * by then.
 */
export class TenantQuery extends BaseQuery {
  readonly #lease: StatementLease;
  #carriesSettings = false;
  /** The settings that travel with this statement in the extended protocol. */
  #rider: TransactionSettings | undefined;

  constructor(lease: StatementLease, config: string | QueryConfig, values?: unknown, callback?: unknown) {
    super(config, values, callback);
    this.#lease = lease;
    if (typeof config === 'object') this.query_timeout = (config as { query_timeout?: number }).query_timeout;
  }

  override submit(connection: WireConnection): Error | null {
    const refusal = this.#lease.refusal();
    if (refusal) return refusal;
    this.#lease.heedText(this.text);

    const settings = this.#lease.settingsToSend();
    this.#carriesSettings = settings !== undefined;
    if (!settings || !this.text) return super.submit(connection);
    if (!super.requiresPreparation() && this.#submitText(settings)) return null;
    this.#rider = settings;
    return super.submit(connection);
  }

  /** Sends what only the simple protocol can carry, and says whether it was that. */
  #submitText(settings: TransactionSettings): boolean {
    const { client } = this.#lease;
    const opening = OPENS_TRANSACTION.exec(this.text);
    if (opening) {
      // The settings go second: BEGIN must be first for its isolation level to be changed by the statement after it.
      client.sendWithCommands(`${opening[1]}; ${settings.commands}${opening[2] ?? ''}`, settings, 1);
    } else if (SEVERAL_STATEMENTS.test(this.text)) {
      client.sendWithCommands(settings.commands + this.text, settings);
    } else {
      return false;
    }
    return true;
  }

  override requiresPreparation(): boolean {
    return this.#rider !== undefined || super.requiresPreparation();
  }

  /** Called by pg between cork and uncork. */
  override prepare(connection: WireConnection): void {
    if (this.#rider) this.#lease.client.ride(this.#rider);
    super.prepare(connection);
  }

  override handleError(error: Error, connection: WireConnection): void {
    if (this.#runAgainUnnamed(error)) return;
    this.#lease.heed(error);
    if (this.#carriesSettings && error instanceof DatabaseError) addHint(error);
    super.handleError(error, connection);
  }

  /**
   * A statement that was named and parsed for one tenant is refused for another whose columns differ, as they do in
   * the middle of a rollout. Nothing has run, so outside a transaction it is sent once more, without its name.
   */
  #runAgainUnnamed(error: Error): boolean {
    const planIsStale = error instanceof DatabaseError && error.routine === 'RevalidateCachedQuery';
    if (!planIsStale || this.name === undefined || !this.#carriesSettings) return false;
    this.name = undefined;
    this.#lease.client._queryQueue.unshift(this);
    return true;
  }
}
