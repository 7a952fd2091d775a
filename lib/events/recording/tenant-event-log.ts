import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { quoteIdentifier, sqlStateOf } from '../../common/sql';
import { uuidV7 } from '../../common/uuid-v7';
import { TenantConnection } from '../../connection/typeorm/tenant-connection';
import { CurrentActor } from '../../context/current-actor';
import { TenantContext } from '../../context/tenant-context';
import { isBesideRegistry } from '../../placement/place';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../../provisioning/provisioning.options';
import { doorSchema } from '../../registry/events/event-door';
import { type EventActor, SYSTEM } from '../../registry/events/tenant-event';
import { EventOutboxMissingError, EventOutsideTransactionError } from '../events.errors';
import { checkActor, checkData, checkSubject, checkType } from './event-input';
import { EventCollector } from './event-collector';

export interface RecordEventOptions {
  /** What it happened to: the id of an order. 1 to 200 characters. Default none. */
  readonly subject?: string;
  /** Neither `operator` nor `cli`. Default: the API key or the user of the request, else the system. */
  readonly actor?: EventActor;
  /** Of a transaction that TypeORM was asked for: of such ones the code around the call cannot be told. */
  readonly manager?: EntityManager;
}

/** SQLSTATE undefined_table, undefined_function and invalid_schema_name. */
const MISSING = ['42P01', '42883', '3F000'];

/** Records what happens to the current tenant, in its own transaction. */
@Injectable()
export class TenantEventLog {
  readonly #sql: string;

  constructor(
    private readonly connection: TenantConnection,
    private readonly context: TenantContext,
    private readonly currentActor: CurrentActor,
    private readonly collector: EventCollector,
    @Inject(PROVISIONING_OPTIONS) { registrySchema, roles }: ProvisioningOptions,
  ) {
    const columns = 'id, tenant_id, type, actor_type, actor_id, subject, data';
    this.#sql = roles
      ? `SELECT ${quoteIdentifier(doorSchema(registrySchema))}.record($1, $2, $3, $4, $5, $6, $7)`
      : `INSERT INTO ${quoteIdentifier(registrySchema)}.tenant_event_outbox (${columns}) VALUES ($1, $2, $3, $4, $5, $6, $7)`;
  }

  /**
   * Records an event and returns its id. It is kept if the transaction is committed that the calling code runs in
   * (`connection.transaction()`, `TenantTransactions`, `@TenantTransaction()`), and never otherwise.
   *
   * @param type a noun and a verb in the past: `order.shipped`
   * @param data what a reader needs to know, as JSON of at most 64 KiB
   * @throws EventOutsideTransactionError, EventRefusedError, TenantRequiredError
   */
  async record(type: string, data: unknown = {}, options: RecordEventOptions = {}): Promise<string> {
    checkType(type);
    const subject = checkSubject(options.subject);
    const json = checkData(data);
    const executor = this.connection.inTransaction(options.manager);
    if (!executor) throw new EventOutsideTransactionError(type);
    const tenant = this.context.tenant();
    const actor = checkActor(options.actor ?? this.currentActor.find() ?? SYSTEM);
    const id = uuidV7();
    try {
      await executor.query(this.#sql, [id, tenant.id, type, actor.type, actor.id, subject, json]);
    } catch (error) {
      if (MISSING.includes(sqlStateOf(error) ?? '')) throw new EventOutboxMissingError({ cause: error });
      throw error;
    }
    if (!isBesideRegistry(tenant))
      this.connection.afterCommit(() => this.collector.expect(tenant), options.manager);
    return id;
  }
}
