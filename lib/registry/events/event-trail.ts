import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { REGISTRY_DATA_SOURCE } from '../registry';
import { registrySchema } from '../registry-schema';
import { inRegistry } from '../store/registry-transaction';
import { EventSealer } from './event-sealer';
import { NOBODY } from './event-tables';
import type { EventHead, EventQuery, TenantEvent } from './tenant-event';

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
    const [head] = await inRegistry(this.registry, (manager) =>
      manager.query<EventHead[]>(
        `SELECT sequence, pg_catalog.encode(hash, 'hex') AS hash, sealed_sequence AS "sealedSequence",
           pg_catalog.encode(sealed_hash, 'hex') AS "sealedHash"
         FROM ${this.#schema}.tenant_event_heads WHERE tenant_id = $1`,
        [tenantId ?? NOBODY],
      ),
    );
    return head;
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
