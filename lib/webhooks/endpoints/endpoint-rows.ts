import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { lockUntilEnd, quoteIdentifier, type SqlExecutor } from '../../common/sql';
import { actorNamed } from '../../registry/events/audit-events';
import { recordEvent } from '../../registry/events/event-outbox';
import { REGISTRY_DATA_SOURCE } from '../../registry/registry';
import { registrySchema } from '../../registry/registry-schema';
import type { WebhookEndpoint, WebhookEndpointStatus } from '../webhook-endpoint';

/** Columns that a change may set. */
export interface EndpointValues {
  readonly url?: string;
  readonly types?: readonly string[];
  readonly description?: string;
  readonly status?: WebhookEndpointStatus;
  readonly disabled_reason?: string | null;
  readonly first_failed_at?: null;
}

/** What happened to an endpoint, for the trail of its tenant. */
export interface EndpointEvent {
  readonly type: string;
  readonly actor?: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const SHOWN = `e.id, e.tenant_id AS "tenantId", e.url, e.types, e.description, e.status,
  e.disabled_reason AS "disabledReason", e.first_failed_at AS "firstFailedAt", e.version,
  e.created_at AS "createdAt", e.updated_at AS "updatedAt"`;

/** The SQL of endpoints. Every statement names the registry's schema. */
@Injectable()
export class EndpointRows {
  constructor(@InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource) {}

  get #schema(): string {
    return quoteIdentifier(registrySchema(this.registry));
  }

  /** With `lock`, others cannot change it until the transaction ends. */
  async find(
    executor: SqlExecutor,
    tenantId: string,
    id: string,
    lock = false,
  ): Promise<WebhookEndpoint | undefined> {
    const [row] = await this.#select(
      executor,
      `e.tenant_id = $1 AND e.id = $2 ${lock ? 'FOR NO KEY UPDATE OF e' : ''}`,
      [tenantId, id],
    );
    return row;
  }

  /** Sorted by id, and so by time of creation. */
  list(executor: SqlExecutor, tenantId: string, limit: number, afterId?: string): Promise<WebhookEndpoint[]> {
    return this.#select(
      executor,
      'e.tenant_id = $1 AND ($2::uuid IS NULL OR e.id > $2) ORDER BY e.id LIMIT $3',
      [tenantId, afterId ?? null, limit],
    );
  }

  /**
   * How many endpoints the tenant has, without the one with `id`. A lock makes others wait until the transaction ends, so
   * of two requests for the last place the second counts the first's endpoint.
   */
  async countOthers(executor: SqlExecutor, tenantId: string, id: string): Promise<number> {
    await lockUntilEnd(executor, `${this.#schema}.webhook_endpoints ${tenantId}`);
    const [{ count }] = (await executor.query(
      `SELECT pg_catalog.count(*)::integer AS count FROM ${this.#schema}.webhook_endpoints
       WHERE tenant_id = $1 AND id <> $2`,
      [tenantId, id],
    )) as { count: number }[];
    return count;
  }

  /**
   * Stores a new endpoint. If its id exists, an earlier attempt of the same request made it, and its secret was never shown.
   * `undefined` when the id is another tenant's.
   */
  async insert(
    executor: SqlExecutor,
    tenantId: string,
    id: string,
    { url, types, description }: Required<Pick<EndpointValues, 'url' | 'types' | 'description'>>,
  ): Promise<WebhookEndpoint | undefined> {
    await executor.query(
      `INSERT INTO ${this.#schema}.webhook_endpoints AS e (id, tenant_id, url, types, description)
       VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (id) DO UPDATE SET version = e.version + 1 WHERE e.tenant_id = EXCLUDED.tenant_id`,
      [id, tenantId, url, types, description],
    );
    return this.find(executor, tenantId, id, true);
  }

  /** Returns the changed endpoint. The caller has locked its row. */
  async update(
    executor: SqlExecutor,
    { id, tenantId }: WebhookEndpoint,
    values: EndpointValues,
  ): Promise<WebhookEndpoint> {
    const columns = Object.keys(values);
    const sets = columns.map((column, index) => `${quoteIdentifier(column)} = $${index + 2}, `);
    await executor.query(
      `UPDATE ${this.#schema}.webhook_endpoints SET ${sets.join('')}version = version + 1,
         updated_at = pg_catalog.clock_timestamp() WHERE id = $1`,
      [id, ...(Object.values(values) as unknown[])],
    );
    return (await this.find(executor, tenantId, id))!;
  }

  /** With its secrets, its deliveries and their attempts. */
  async remove(executor: SqlExecutor, { id }: WebhookEndpoint): Promise<void> {
    await executor.query(`DELETE FROM ${this.#schema}.webhook_endpoints WHERE id = $1`, [id]);
  }

  /** Leaves an event in the trail. The URL may have a token in it, so only its host is told. */
  async record(
    executor: SqlExecutor,
    { id, tenantId, url }: WebhookEndpoint,
    { type, actor, data }: EndpointEvent,
  ): Promise<void> {
    await recordEvent(executor, this.#schema, {
      tenantId,
      type,
      actor: actorNamed(actor),
      subject: id,
      data: { host: new URL(url).host, ...data },
    });
  }

  async #select(executor: SqlExecutor, where: string, values: unknown[]): Promise<WebhookEndpoint[]> {
    return (await executor.query(
      `SELECT ${SHOWN}, (SELECT pg_catalog.max(s.expires_at) FROM ${this.#schema}.webhook_secrets s
         WHERE s.endpoint_id = e.id AND s.expires_at > pg_catalog.clock_timestamp()) AS "oldSecretExpiresAt"
       FROM ${this.#schema}.webhook_endpoints e WHERE ${where}`,
      values,
    )) as WebhookEndpoint[];
  }
}
