import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { quoteIdentifier, type SqlExecutor } from '../../common/sql';
import { REGISTRY_DATA_SOURCE } from '../registry';
import { registrySchema } from '../registry-schema';
import { inRegistry } from '../store/registry-transaction';
import { EventSealer } from './event-sealer';
import { NOBODY } from './event-tables';
import {
  type EventVerification,
  EventVerificationRun,
  findHead,
  type VerifyOptions,
} from './event-verification';
import { pruneEvents } from './prune-events';
import type { EventHead, EventQuery, TenantEvent } from './tenant-event';

/** Read at once. */
const TENANTS_PAGE = 500;

export interface EventReadOptions {
  /** Whether what was committed and waits for its place is given it first. Default true. */
  readonly seal?: boolean;
}

export type EventRow = Omit<TenantEvent, 'actor' | 'data'> & {
  readonly actorType: string;
  readonly actorId: string | null;
  readonly data: string;
};

/** Reads the trail. What was committed before a call is in its answer. */
@Injectable()
export class EventTrail {
  readonly #schema: string;

  constructor(
    @InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource,
    private readonly sealer: EventSealer,
  ) {
    this.#schema = quoteIdentifier(registrySchema(registry));
  }

  /**
   * Events in the order of their positions. Whoever goes on with `after`, the position of the last one, misses none.
   *
   * @throws TenancyUnavailableError
   */
  async list(query: EventQuery, { seal = true }: EventReadOptions = {}): Promise<TenantEvent[]> {
    if (seal) await this.sealer.seal(query.tenantId);
    const { where, values } = conditionsOf(query);
    values.push(query.limit);
    const rows = await inRegistry(this.registry, (manager) =>
      manager.query<EventRow[]>(
        `SELECT ${EVENT_COLUMNS} FROM ${this.#schema}.tenant_events e WHERE ${where.join(' AND ')}
         ORDER BY e.position ${query.latestFirst ? 'DESC' : 'ASC'} LIMIT $${values.length}`,
        values,
      ),
    );
    return rows.map(toEvent);
  }

  /** The last event of a tenant, also when it was pruned; `null` asks for those of no tenant. `undefined`: it has none. */
  async head(
    tenantId: string | null,
    { seal = true }: EventReadOptions = {},
  ): Promise<EventHead | undefined> {
    if (seal) await this.sealer.seal(tenantId);
    return inRegistry(this.registry, (manager) => findHead(manager, this.#schema, tenantId));
  }

  /**
   * Looks at each event of a tenant: whether it is as it was sealed, and whether any was removed or inserted. Its memory does not
   * grow with their number.
   *
   * @throws TenancyUnavailableError
   */
  async verify(tenantId: string | null, options?: VerifyOptions): Promise<EventVerification> {
    await this.sealer.seal(tenantId);
    const executor: SqlExecutor = {
      // A connection for each page, since others need it, too.
      query: (sql, values) => inRegistry(this.registry, (manager) => manager.query<unknown>(sql, values)),
    };
    return new EventVerificationRun(executor, this.#schema, tenantId).run(options);
  }

  /** The ids of all that have events, or had some; `null` stands for those of no tenant. */
  async *tenants(): AsyncGenerator<string | null> {
    for (let after = ''; ;) {
      const page = await inRegistry(this.registry, (manager) =>
        manager.query<{ id: string }[]>(
          `SELECT id FROM (
             SELECT tenant_id AS id FROM ${this.#schema}.tenant_event_heads
             UNION SELECT coalesce(tenant_id, '${NOBODY}') FROM ${this.#schema}.tenant_events e WHERE NOT EXISTS (
               SELECT FROM ${this.#schema}.tenant_event_heads h WHERE h.tenant_id = coalesce(e.tenant_id, '${NOBODY}'))) AS known
           WHERE $1 = '' OR id > NULLIF($1, '')::uuid ORDER BY id LIMIT ${TENANTS_PAGE}`,
          [after],
        ),
      );
      for (const { id } of page) yield id === NOBODY ? null : id;
      if (page.length < TENANTS_PAGE) return;
      after = page[page.length - 1].id;
    }
  }

  /**
   * Deletes the first events of a tenant that are older than so many days, and returns how many. What is left can be verified as
   * before.
   *
   * @throws TenancyUnavailableError
   */
  async prune(tenantId: string | null, days: number): Promise<number> {
    for (let deleted = 0; ;) {
      const count = await inRegistry(this.registry, (manager) =>
        pruneEvents(manager, this.#schema, tenantId, days),
      );
      deleted += count;
      if (count === 0) return deleted;
    }
  }
}

/** An event of `tenant_events e`, as `toEvent` takes it. */
export const EVENT_COLUMNS = `e.id, e.tenant_id AS "tenantId", e.type, e.actor_type AS "actorType", e.actor_id AS "actorId", e.subject,
  e.data::text, e.occurred_at AS "occurredAt", e.sequence, e.position, pg_catalog.encode(e.hash, 'hex') AS hash,
  pg_catalog.encode(e.previous_hash, 'hex') AS "previousHash"`;

export function toEvent({ actorType, actorId, data, ...row }: EventRow): TenantEvent {
  return { ...row, actor: { type: actorType, id: actorId }, data: JSON.parse(data) as unknown };
}

interface Conditions {
  readonly where: string[];
  readonly values: unknown[];
}

/** SQL over `e`, and what it refers to. */
function conditionsOf({ tenantId, types, actor, subject, from, to, after, before }: EventQuery): Conditions {
  const values: unknown[] = [];
  const where = ['true'];
  const add = (condition: string, value: unknown) =>
    where.push(condition.replace('?', `$${values.push(value)}`));
  if (tenantId === null) where.push('e.tenant_id IS NULL');
  else if (tenantId !== undefined) add('e.tenant_id = ?', tenantId);
  if (types) where.push(`(${typesOf(types, values)})`);
  if (actor?.type !== undefined) add('e.actor_type = ?', actor.type);
  if (actor?.id === null) where.push('e.actor_id IS NULL');
  else if (actor?.id !== undefined) add('e.actor_id = ?', actor.id);
  if (subject !== undefined) add('e.subject = ?', subject);
  if (from) add('e.occurred_at >= ?', from);
  if (to) add('e.occurred_at < ?', to);
  if (after !== undefined) add('e.position > ?', after);
  if (before !== undefined) add('e.position < ?', before);
  return { where, values };
}

function typesOf(types: readonly string[], values: unknown[]): string {
  const prefixes = types.filter((type) => type.endsWith('*')).map((type) => type.slice(0, -1));
  const names = types.filter((type) => !type.endsWith('*'));
  return [
    `e.type = ANY ($${values.push(names)}::text[])`,
    ...prefixes.map((prefix) => `pg_catalog.starts_with(e.type, $${values.push(prefix)})`),
  ].join(' OR ');
}
