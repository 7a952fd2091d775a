import { Inject, Injectable } from '@nestjs/common';
import { quoteIdentifier, type SqlExecutor } from '../../common/sql';
import { SystemTransactions } from '../../connection/typeorm/system-transactions';
import { placeOf, siteOf } from '../../placement/place';
import { eventOutbox } from '../../registry/events/event-tables';
import type { Tenant } from '../../registry/tenant';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning.options';
import { checksumOf } from './migration-checksum';
import type { NamedMigration } from './named-migrations';
import { type SeenMigration, TenantVersions } from './tenant-versions';

type Located = Pick<Tenant, 'id' | 'schemaName' | 'place'>;

/**
 * The ledger in a tenant's own database: which migrations its schema has seen.
 *
 * A migration and its entry must be committed together, or a process that dies in between leaves a schema of which nobody knows
 * what it has seen. No transaction spans two databases, so the entry is written where the migration is, and the ledger of the
 * server has a copy, which is made afterwards. A copy that is late is put right by the next run: it goes to the tenant, finds
 * the entry there, and copies it.
 */
@Injectable()
export class OwnLedger {
  readonly #schema: string;
  readonly #table: string;

  constructor(
    private readonly transactions: SystemTransactions,
    private readonly versions: TenantVersions,
    @Inject(PROVISIONING_OPTIONS) { registrySchema }: ProvisioningOptions,
  ) {
    this.#schema = quoteIdentifier(registrySchema);
    this.#table = `${this.#schema}.tenant_migrations`;
  }

  /**
   * Makes it, in the tenant's database, under the name that the ledger has on the server: claims name it. The tenant's events wait
   * in a table beside it.
   */
  async make(transaction: SqlExecutor): Promise<void> {
    await transaction.query(`
      CREATE SCHEMA IF NOT EXISTS ${this.#schema};
      CREATE TABLE IF NOT EXISTS ${this.#table} (
        tenant_id uuid NOT NULL,
        name text NOT NULL,
        timestamp bigint NOT NULL,
        checksum text,
        state text NOT NULL,
        run_id uuid,
        at timestamptz(3) NOT NULL DEFAULT pg_catalog.clock_timestamp(),
        duration_ms integer,
        error text,
        statement text,
        PRIMARY KEY (tenant_id, name)
      )`);
    await transaction.query(eventOutbox(this.#schema));
  }

  /** What the tenant has seen, in its database. */
  async record(transaction: SqlExecutor, tenantId: string, seen: readonly SeenMigration[]): Promise<void> {
    await this.versions.recordSeen(transaction, tenantId, seen);
  }

  /** Copies it to the ledger of the tenant's server. What that says of migrations that did not end stays. */
  async copy(tenant: Located): Promise<void> {
    const seen = await this.transactions.run(
      (manager) =>
        manager.query<unknown[]>(
          `SELECT name, timestamp::text, checksum, run_id, at FROM ${this.#table} WHERE tenant_id = $1 AND state = 'done'`,
          [tenant.id],
        ),
      siteOf(tenant),
    );
    await this.transactions.run(
      (manager) =>
        manager.query(
          `WITH seen AS (
             SELECT * FROM pg_catalog.json_to_recordset($2)
               AS r (name text, timestamp bigint, checksum text, run_id uuid, at timestamptz)),
           gone AS (
             DELETE FROM ${this.#table} WHERE tenant_id = $1 AND state = 'done' AND name NOT IN (SELECT name FROM seen))
           INSERT INTO ${this.#table} AS ledger (tenant_id, name, timestamp, checksum, state, run_id, at)
           SELECT $1, name, timestamp, checksum, 'done', run_id, at FROM seen
           ON CONFLICT (tenant_id, name) DO UPDATE SET state = 'done', checksum = excluded.checksum, run_id = excluded.run_id,
             at = excluded.at, error = NULL, statement = NULL WHERE ledger.state = 'failed'`,
          [tenant.id, JSON.stringify(seen)],
        ),
      placeOf(tenant).server,
    );
  }

  /** Notes what a migration with `transaction = false` has come to, before the server's ledger notes it. */
  async note(
    tenant: Located,
    { name, timestamp, migration }: NamedMigration,
    outcome: 'done' | 'undone',
  ): Promise<void> {
    await this.transactions.run(
      (manager) =>
        outcome === 'undone'
          ? manager.query(`DELETE FROM ${this.#table} WHERE tenant_id = $1 AND name = $2`, [tenant.id, name])
          : manager.query(
              `INSERT INTO ${this.#table} (tenant_id, name, timestamp, checksum, state) VALUES ($1, $2, $3, $4, 'done')
               ON CONFLICT (tenant_id, name) DO UPDATE SET state = 'done', checksum = excluded.checksum`,
              [tenant.id, name, timestamp, checksumOf(migration)],
            ),
      siteOf(tenant),
    );
  }
}
