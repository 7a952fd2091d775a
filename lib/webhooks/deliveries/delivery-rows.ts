import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { REGISTRY_DATA_SOURCE } from '../../registry/registry';
import { registrySchema } from '../../registry/registry-schema';
import { askRegistry, inRegistry } from '../../registry/store/registry-transaction';
import type { WebhookAttempt, WebhookDelivery, WebhookDeliveryStatus } from '../webhook-delivery';
import type { WebhookEndpoint } from '../webhook-endpoint';

/** A delivery to be made. */
export interface NewDelivery {
  readonly id: string;
  readonly endpointId: string;
  readonly tenantId: string;
  readonly eventId: string;
  readonly type: string;
  /** The text that is signed and sent. */
  readonly payload: string;
}

/** An endpoint that events may be for. */
export interface Subscriber {
  readonly id: string;
  readonly tenantId: string;
  readonly types: readonly string[];
  readonly createdAt: Date;
}

export interface DeliveryListOptions {
  readonly status?: WebhookDeliveryStatus;
  readonly limit: number;
  readonly beforeId?: string;
}

/** An endpoint, as its tenant's. */
export interface EndpointOf {
  readonly tenantId: string;
  readonly endpointId: string;
}

export interface EndpointSummary extends Pick<
  WebhookEndpoint,
  'id' | 'url' | 'status' | 'disabledReason' | 'firstFailedAt'
> {
  /** How many deliveries wait for their next attempt. */
  readonly pending: number;
  /** How many were given up and are still kept. */
  readonly dead: number;
}

/** What waits in the whole registry, in milliseconds; 0 when nothing does. */
export interface WaitingDeliveries {
  /** How long ago the oldest delivery was made that has neither arrived nor been given up, for whatever reason. */
  readonly oldestMs: number;
  /** For how long something should have been sent that no instance sends. */
  readonly overdueMs: number;
}

interface Released {
  readonly tenantIds?: readonly string[];
  readonly endpointIds?: readonly string[];
}

/** How many deliveries one statement sends again. */
const RESEND_CHUNK = 1_000;

const COLUMNS = `d.id, d.endpoint_id AS "endpointId", d.tenant_id AS "tenantId", d.event_id AS "eventId", d.type, d.status,
  d.attempt, d.next_attempt_at AS "nextAttemptAt", d.created_at AS "createdAt", d.finished_at AS "finishedAt"`;

/** As a new one: the times of its attempts begin again. */
const AGAIN = `status = 'pending', attempt = 0, next_attempt_at = statement_timestamp(), finished_at = NULL`;

/** The SQL of deliveries, but for that of sending. Every time in it is PostgreSQL's. */
@Injectable()
export class DeliveryRows {
  constructor(@InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource) {}

  /** The endpoints of these tenants that are sent to. */
  subscribers(tenantIds: readonly string[]): Promise<Subscriber[]> {
    return this.#query(
      (schema) => `
        SELECT id, tenant_id AS "tenantId", types, created_at AS "createdAt" FROM ${schema}.webhook_endpoints
        WHERE tenant_id = ANY ($1::uuid[]) AND status = 'enabled' ORDER BY id`,
      [tenantIds],
    );
  }

  /**
   * Adds deliveries that are not there yet: one for each event and endpoint, however often it is asked for. None for an
   * endpoint that was deleted or disabled meanwhile.
   */
  async add(deliveries: readonly NewDelivery[]): Promise<number> {
    return this.#inTransaction(async (manager, schema) => {
      const added = await manager.query<{ endpointId: string }[]>(
        `INSERT INTO ${schema}.webhook_deliveries (id, endpoint_id, tenant_id, event_id, type, payload, next_attempt_at)
         SELECT g.id, e.id, e.tenant_id, g."eventId", g.type, g.payload, statement_timestamp()
         FROM json_to_recordset($1) AS g (id uuid, "endpointId" uuid, "eventId" uuid, type text, payload text)
         JOIN ${schema}.webhook_endpoints e ON e.id = g."endpointId" AND e.status = 'enabled'
         ORDER BY g.id FOR KEY SHARE OF e
         ON CONFLICT ON CONSTRAINT webhook_deliveries_event_key DO NOTHING
         RETURNING endpoint_id AS "endpointId"`,
        [JSON.stringify(deliveries)],
      );
      await this.#wake(manager, schema, [...new Set(added.map(({ endpointId }) => endpointId))]);
      return added.length;
    });
  }

  /** Whether the tenant's endpoint is sent to. `undefined`: the tenant has none of this id. */
  async isEnabled({ tenantId, endpointId }: EndpointOf): Promise<boolean | undefined> {
    const [endpoint] = await this.#query<{ isEnabled: boolean }>(
      (schema) => `
        SELECT status = 'enabled' AS "isEnabled" FROM ${schema}.webhook_endpoints WHERE id = $1 AND tenant_id = $2`,
      [endpointId, tenantId],
    );
    return endpoint?.isEnabled;
  }

  /** The endpoints of a tenant, the first made first, with how much waits for each and how much was given up. */
  summarize(tenantId: string): Promise<EndpointSummary[]> {
    const count = (schema: string, status: string) => `(
      SELECT count(*)::int FROM ${schema}.webhook_deliveries d
      WHERE d.endpoint_id = e.id AND d.status = '${status}') AS ${status}`;
    return this.#query(
      (schema) => `
        SELECT e.id, e.url, e.status, e.disabled_reason AS "disabledReason", e.first_failed_at AS "firstFailedAt",
          ${count(schema, 'pending')}, ${count(schema, 'dead')}
        FROM ${schema}.webhook_endpoints e WHERE e.tenant_id = $1 ORDER BY e.id`,
      [tenantId],
    );
  }

  /** Whether anything waits: since when the delivery that has waited for longest is there, and the longest due is due. */
  async waiting(): Promise<WaitingDeliveries> {
    const [found] = await this.#query<{ oldestMs: number | null; overdueMs: number | null }>(
      (schema) => `
        SELECT (SELECT ${since('d.created_at')} FROM ${schema}.webhook_deliveries d
                WHERE d.status = 'pending' ORDER BY d.created_at LIMIT 1) AS "oldestMs",
          (SELECT ${since('l.next_at')} FROM ${schema}.webhook_lanes l
           WHERE l.next_at <= statement_timestamp() AND (l.lease_until IS NULL OR l.lease_until <= statement_timestamp())
           ORDER BY l.next_at LIMIT 1) AS "overdueMs"`,
      [],
    );
    return { oldestMs: found.oldestMs ?? 0, overdueMs: found.overdueMs ?? 0 };
  }

  /** The deliveries of an endpoint, the latest first. */
  list(
    { tenantId, endpointId }: EndpointOf,
    { status, limit, beforeId }: DeliveryListOptions,
  ): Promise<WebhookDelivery[]> {
    return this.#query(
      (schema) => `
        SELECT ${COLUMNS} FROM ${schema}.webhook_deliveries d
        WHERE d.endpoint_id = $1 AND d.tenant_id = $2 AND d.status = coalesce($3, d.status)
          AND ($4::uuid IS NULL OR d.id < $4)
        ORDER BY d.id DESC LIMIT $5`,
      [endpointId, tenantId, status ?? null, beforeId ?? null, limit],
    );
  }

  async find({ tenantId, endpointId }: EndpointOf, id: string): Promise<WebhookDelivery | undefined> {
    const rows = await this.#query<WebhookDelivery>(
      (schema) => `
        SELECT ${COLUMNS} FROM ${schema}.webhook_deliveries d
        WHERE d.id = $1 AND d.endpoint_id = $2 AND d.tenant_id = $3`,
      [id, endpointId, tenantId],
    );
    return rows[0];
  }

  /** The attempts of a delivery, the first one first. */
  attempts(id: string): Promise<WebhookAttempt[]> {
    return this.#query(
      (schema) => `
        SELECT at, status, duration_ms AS "durationMs", error FROM ${schema}.webhook_attempts
        WHERE delivery_id = $1 ORDER BY id`,
      [id],
    );
  }

  /** Lets a delivery be sent again, whatever has become of it. `undefined`: there is none. */
  resend({ tenantId, endpointId }: EndpointOf, id: string): Promise<WebhookDelivery | undefined> {
    return this.#inTransaction(async (manager, schema) => {
      await this.#wakeNow(manager, schema, { tenantId, endpointId });
      const [rows] = await manager.query<[WebhookDelivery[], number]>(
        `UPDATE ${schema}.webhook_deliveries d SET ${AGAIN}
         WHERE d.id = $1 AND d.endpoint_id = $2 AND d.tenant_id = $3 RETURNING ${COLUMNS}`,
        [id, endpointId, tenantId],
      );
      return rows[0];
    });
  }

  /**
   * Lets all deliveries of one status that were made since then be sent again, and returns how many. In parts, so that
   * nobody waits for long for what one of them locks.
   */
  async resendSince(
    { tenantId, endpointId }: EndpointOf,
    since: Date,
    status: 'dead' | 'delivered',
  ): Promise<number> {
    for (let count = 0, afterId: string | null = null; ;) {
      const ids: string[] = await this.#inTransaction(async (manager, schema) => {
        await this.#wakeNow(manager, schema, { tenantId, endpointId });
        const [rows] = await manager.query<[{ id: string }[], number]>(
          `UPDATE ${schema}.webhook_deliveries d SET ${AGAIN} FROM (
             SELECT id FROM ${schema}.webhook_deliveries
             WHERE endpoint_id = $1 AND tenant_id = $2 AND created_at >= $3 AND status = $4
               AND ($5::uuid IS NULL OR id > $5)
             ORDER BY id LIMIT ${RESEND_CHUNK} FOR UPDATE) found
           WHERE d.id = found.id RETURNING d.id`,
          [endpointId, tenantId, since, status, afterId],
        );
        return rows.map(({ id }) => id).sort();
      });
      count += ids.length;
      if (ids.length < RESEND_CHUNK) return count;
      afterId = ids.at(-1)!;
    }
  }

  /**
   * These may be sent to again: the tenants are active again, or the endpoints enabled. An instance that has such a lane may
   * just have seen otherwise. Without the token it does not hold the lane for it, and the next has it when the lease ends.
   */
  async release({ tenantIds = [], endpointIds = [] }: Released): Promise<void> {
    await this.#query(
      (schema) => `
        UPDATE ${schema}.webhook_lanes l
        SET hold_until = NULL, failures = 0, next_at = statement_timestamp(), lease_token = NULL
        WHERE l.next_at IS NOT NULL AND l.endpoint_id IN (
          SELECT endpoint_id FROM ${schema}.webhook_lanes
          WHERE tenant_id = ANY ($1::uuid[]) OR endpoint_id = ANY ($2::uuid[]) ORDER BY endpoint_id FOR UPDATE)`,
      [tenantIds, endpointIds],
    );
  }

  /** Something is due on these lanes as soon as they are not held; a lane that is not there yet is made. */
  async #wake(manager: EntityManager, schema: string, endpointIds: readonly string[]): Promise<void> {
    if (endpointIds.length === 0) return;
    await manager.query(
      `INSERT INTO ${schema}.webhook_lanes AS l (endpoint_id, tenant_id, next_at)
       SELECT id, tenant_id, statement_timestamp() FROM ${schema}.webhook_endpoints
       WHERE id = ANY ($1::uuid[]) ORDER BY id FOR KEY SHARE
       ON CONFLICT (endpoint_id) DO UPDATE SET
         next_at = LEAST(l.next_at, GREATEST(excluded.next_at, l.hold_until))
       WHERE l.next_at IS NULL OR l.next_at > GREATEST(excluded.next_at, l.hold_until)`,
      [endpointIds],
    );
  }

  /**
   * The same at once, because a person asks for it. Before the deliveries are changed: whoever writes what became of them
   * locks the lane first, too.
   */
  async #wakeNow(
    manager: EntityManager,
    schema: string,
    { tenantId, endpointId }: EndpointOf,
  ): Promise<void> {
    await manager.query(
      `INSERT INTO ${schema}.webhook_lanes AS l (endpoint_id, tenant_id, next_at)
       SELECT id, tenant_id, statement_timestamp() FROM ${schema}.webhook_endpoints
       WHERE id = $1 AND tenant_id = $2 FOR KEY SHARE
       ON CONFLICT (endpoint_id) DO UPDATE SET next_at = excluded.next_at, hold_until = NULL`,
      [endpointId, tenantId],
    );
  }

  #query<Row>(sql: (schema: string) => string, values: unknown[]): Promise<Row[]> {
    return askRegistry(this.registry, sql, values);
  }

  #inTransaction<T>(work: (manager: EntityManager, schema: string) => Promise<T>): Promise<T> {
    return inRegistry(this.registry, (manager) => work(manager, this.#schema));
  }

  get #schema(): string {
    return quoteIdentifier(registrySchema(this.registry));
  }
}

/** SQL: the milliseconds since then. */
function since(time: string): string {
  return `(pg_catalog.date_part('epoch', statement_timestamp() - ${time}) * 1000)::float8`;
}
