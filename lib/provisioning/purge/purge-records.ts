import { Inject, Injectable } from '@nestjs/common';
import { quoteIdentifier, type SqlExecutor } from '../../common/sql';
import { MIGRATIONS_TABLE } from '../../registry/migrate-registry';
import { placeOf } from '../../placement/place';
import { MoveUnderWayError } from '../../placement/placement.errors';
import { recordAction } from '../../registry/events/audit-events';
import type { Tenant } from '../../registry/tenant';
import { isUuid } from '../../registry/claim';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning.options';
import type { DroppedTable } from '../marks/schema-drop';

/** The record of a purge. */
export interface PurgeRecord {
  readonly tenantId: string;
  readonly slug: string;
  readonly schemaName: string;
  /** The server that the schema was on. */
  readonly server: string;
  /** Rows by table. */
  readonly tables: Readonly<Record<string, number>>;
  /** The sum over all tables. */
  readonly rows: number;
  /** Size on disk, with indexes and TOAST tables. */
  readonly bytes: number;
  /** The actor who asked for it, if it is known. */
  readonly purgedBy: string | undefined;
  readonly startedAt: Date;
  /** `undefined` while something is still to be dropped. */
  readonly finishedAt: Date | undefined;
}

interface PurgeRow {
  readonly tenant_id: string;
  readonly slug: string;
  readonly schema_name: string;
  readonly server: string;
  readonly tables: Record<string, number>;
  /** pg returns a bigint as text. */
  readonly bytes: string;
  readonly purged_by: string | null;
  readonly started_at: Date;
  readonly finished_at: Date | null;
}

const COLUMNS = 'tenant_id, slug, schema_name, server, tables, bytes, purged_by, started_at, finished_at';

/**
 * Tables of optional modules whose rows are deleted with their tenant. Each has the migrations of which one made it,
 * because the application may have a table of its own with that name. They have no foreign key to `tenants`, because
 * another store may hold the tenants. Usage is not deleted: it is still to be billed.
 */
export const PURGED_WITH_TENANT: Readonly<Record<string, readonly string[]>> = {
  api_keys: ['CreateTenantApiKeys1763600500000', 'CreateApiKeys1763600500000'],
  tenant_settings: ['CreateTenantSettings1763600800000'],
  timer_failures: ['CreateTimers1763601400000'],
  tenant_members: ['CreateTenantMembers1763601650000'],
  tenant_invitations: ['CreateInvitations1763601660000'],
  tenant_recovery_keys: ['CreateSupportAccess1763601670000'],
  tenant_support_access: ['CreateSupportAccess1763601670000'],
  tenant_support_sessions: ['CreateSupportAccess1763601670000'],
  webhook_deliveries: ['CreateWebhooks1763601800000'],
  webhook_endpoints: ['CreateWebhooks1763601800000'],
  webhook_lanes: ['CreateWebhooks1763601800000'],
};

/** The SQL of purges: the tombstones and their records. */
@Injectable()
export class PurgeRecords {
  readonly #schema: string;

  constructor(@Inject(PROVISIONING_OPTIONS) { registrySchema }: ProvisioningOptions) {
    this.#schema = quoteIdentifier(registrySchema);
  }

  /**
   * Turns a deleted tenant into a tombstone: its slug becomes free, its id and its schema's name do not, and nothing
   * else of it is kept. Returns `undefined` when the registry's own tables have no such tenant, and false when it is
   * not deleted.
   *
   * @throws MoveUnderWayError
   */
  async bury(
    transaction: SqlExecutor,
    { id, slug }: Tenant,
    purgedBy: string | undefined,
  ): Promise<boolean | undefined> {
    const [row] = (await transaction.query(
      `SELECT status, move_id AS "moveId" FROM ${this.#schema}.tenants WHERE id = $1 FOR UPDATE`,
      [id],
    )) as { status: string; moveId: string | null }[];
    if (row?.status !== 'deleted') return row && false;
    // The move would go on with rows that nobody is to have any more.
    if (row.moveId) throw new MoveUnderWayError(slug, 'be purged');
    await transaction.query(
      `UPDATE ${this.#schema}.tenants SET status = 'purged', name = slug, metadata = '{}', status_reason = NULL,
         deleted_from = NULL, version = version + 1, updated_at = pg_catalog.clock_timestamp() WHERE id = $1`,
      [id],
    );
    await transaction.query(`DELETE FROM ${this.#schema}.tenant_domains WHERE tenant_id = $1`, [id]);
    await recordAction(transaction, this.#schema, id, { action: 'purge', actor: purgedBy });
    return true;
  }

  /**
   * Records that the schema must be dropped, whatever happens, and deletes what modules keep of the tenant. Calling it
   * again changes nothing.
   */
  async begin(transaction: SqlExecutor, tenant: Tenant, purgedBy: string | undefined): Promise<void> {
    await this.forget(transaction, tenant.id);
    await transaction.query(
      `INSERT INTO ${this.#schema}.purges (tenant_id, slug, schema_name, server, tenant, purged_by)
       VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id) DO NOTHING`,
      [tenant.id, tenant.slug, tenant.schemaName, placeOf(tenant).server, JSON.stringify(tenant), purgedBy],
    );
  }

  /**
   * Deletes what modules keep of a tenant. It reads the ledger, because another instance may have modules that this one
   * does not import.
   */
  async forget(transaction: SqlExecutor, tenantId: string): Promise<void> {
    const ledger = (await transaction.query(
      `SELECT name FROM ${this.#schema}.${quoteIdentifier(MIGRATIONS_TABLE)}`,
    )) as { name: string }[];
    const done = new Set(ledger.map(({ name }) => name));
    for (const [table, migrations] of Object.entries(PURGED_WITH_TENANT))
      if (migrations.some((name) => done.has(name)))
        await transaction.query(`DELETE FROM ${this.#schema}.${table} WHERE tenant_id = $1`, [tenantId]);
  }

  /** The id of a tenant whose purge has begun, by its id or its slug; of several, the latest. */
  async find(executor: SqlExecutor, reference: string): Promise<string | undefined> {
    const [row] = (await executor.query(
      `SELECT tenant_id AS id FROM ${this.#schema}.purges
       WHERE ${isUuid(reference) ? 'tenant_id' : 'slug'} = $1 ORDER BY started_at DESC LIMIT 1`,
      [reference],
    )) as { id: string }[];
    return row?.id;
  }

  /** The ids of all purges that have begun and not ended, the oldest first. */
  async listUnfinished(executor: SqlExecutor): Promise<string[]> {
    const found = (await executor.query(
      `SELECT tenant_id AS id FROM ${this.#schema}.purges WHERE finished_at IS NULL ORDER BY started_at`,
    )) as { id: string }[];
    return found.map(({ id }) => id);
  }

  /** Whether a schema is being dropped. A store outside of the database has forgotten it by then. */
  async has(executor: SqlExecutor, schemaName: string): Promise<boolean> {
    const found = (await executor.query(
      `SELECT FROM ${this.#schema}.purges WHERE schema_name = $1 AND finished_at IS NULL`,
      [schemaName],
    )) as unknown[];
    return found.length > 0;
  }

  /** The record, and the tenant as it was. They stay locked until the transaction ends, so nobody else drops a part. */
  async lock(transaction: SqlExecutor, id: string): Promise<{ record: PurgeRecord; tenant: Tenant | null }> {
    const [row] = (await transaction.query(
      `SELECT ${COLUMNS}, tenant FROM ${this.#schema}.purges WHERE tenant_id = $1 FOR UPDATE`,
      [id],
    )) as (PurgeRow & { tenant: (Tenant & { createdAt: string; updatedAt: string }) | null })[];
    const { tenant } = row;
    return {
      record: toRecord(row),
      tenant: tenant && {
        ...tenant,
        createdAt: new Date(tenant.createdAt),
        updatedAt: new Date(tenant.updatedAt),
      },
    };
  }

  async addTables(transaction: SqlExecutor, id: string, tables: readonly DroppedTable[]): Promise<void> {
    const rows = Object.fromEntries(tables.map((table) => [table.name, table.rows]));
    const bytes = tables.reduce((sum, table) => sum + table.bytes, 0);
    await transaction.query(
      `UPDATE ${this.#schema}.purges SET tables = tables || $2::jsonb, bytes = bytes + $3 WHERE tenant_id = $1`,
      [id, JSON.stringify(rows), bytes],
    );
  }

  async finish(transaction: SqlExecutor, id: string): Promise<PurgeRecord> {
    await transaction.query(
      `UPDATE ${this.#schema}.purges SET finished_at = pg_catalog.clock_timestamp(), tenant = NULL WHERE tenant_id = $1`,
      [id],
    );
    return (await this.lock(transaction, id)).record;
  }
}

function toRecord(row: PurgeRow): PurgeRecord {
  return {
    tenantId: row.tenant_id,
    slug: row.slug,
    schemaName: row.schema_name,
    server: row.server,
    tables: row.tables,
    rows: Object.values(row.tables).reduce((sum, rows) => sum + rows, 0),
    bytes: Number(row.bytes),
    purgedBy: row.purged_by ?? undefined,
    startedAt: row.started_at,
    finishedAt: row.finished_at ?? undefined,
  };
}
