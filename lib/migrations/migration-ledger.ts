import { Inject, Injectable } from '@nestjs/common';
import { quoteIdentifier, type SqlExecutor } from '../common/sql';
import { checksumOf } from '../provisioning/migration-checksum';
import type { NamedMigration } from '../provisioning/named-migrations';
import { TEMPLATE_ID } from '../provisioning/unfinished-migrations';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning/provisioning.options';
import { SchemaGoneError } from '../provisioning/provisioning.errors';
import type { Tenant } from '../tenant/tenant';
import type { MigrationTrouble } from './fleet-status';

/** What went wrong in one tenant. */
export interface MigrationFailure {
  readonly tenantId: string;
  readonly slug: string;
  readonly migration: string;
  readonly message: string;
  /** The SQL that failed, if the error came from PostgreSQL. */
  readonly statement?: string;
}

/** The SQL of the ledger: which migrations each tenant has seen. All of it names the registry's schema. */
@Injectable()
export class MigrationLedger {
  readonly #table: string;
  readonly #template: string;
  readonly #tenants: string;

  constructor(@Inject(PROVISIONING_OPTIONS) { registrySchema }: ProvisioningOptions) {
    this.#table = `${quoteIdentifier(registrySchema)}.tenant_migrations`;
    this.#template = `${quoteIdentifier(registrySchema)}.template_migrations`;
    this.#tenants = `${quoteIdentifier(registrySchema)}.tenants`;
  }

  /** Names of the migrations that the template has seen and the tenant has not. */
  async pendingOf(executor: SqlExecutor, tenantId: string): Promise<string[]> {
    const found = (await executor.query(
      `SELECT t.name FROM ${this.#template} t WHERE NOT EXISTS (
         SELECT FROM ${this.#table} m WHERE m.tenant_id = $1 AND m.name = t.name AND m.state = 'done')
       ORDER BY t.timestamp, t.name`,
      [tenantId],
    )) as { name: string }[];
    return found.map(({ name }) => name);
  }

  /**
   * Whether the migration is the caller's to run on that tenant. Told in the caller's transaction, which then runs it:
   * the row and what the migration does appear together or not at all. Somebody else who asks meanwhile waits for the
   * outcome, at most `lockTimeoutMs`, which then holds for all that the transaction waits for.
   *
   * @throws SchemaGoneError
   */
  async up(
    transaction: SqlExecutor,
    tenant: Tenant,
    { name, timestamp, migration }: NamedMigration,
    { runId, lockTimeoutMs }: { runId: string; lockTimeoutMs: number },
  ): Promise<boolean> {
    const claimed = (await transaction.query(
      `WITH patience AS MATERIALIZED (SELECT pg_catalog.set_config('lock_timeout', $6, true))
       INSERT INTO ${this.#table} AS ledger (tenant_id, name, timestamp, checksum, state, run_id)
       SELECT $1, $2, $3, $4, 'done', $5 FROM patience
       ON CONFLICT (tenant_id, name) DO UPDATE SET state = 'done', checksum = excluded.checksum, run_id = excluded.run_id,
         at = pg_catalog.clock_timestamp(), error = NULL, statement = NULL
       WHERE ledger.state = 'failed'
       RETURNING pg_catalog.current_schema() AS schema`,
      [tenant.id, name, timestamp, checksumOf(migration), runId, `${lockTimeoutMs}`],
    )) as { schema: string | null }[];
    return isOurs(claimed, tenant);
  }

  /** Whether there was such an entry, which is the caller's to revert. As `up`. */
  async down(
    transaction: SqlExecutor,
    tenant: Tenant,
    { name }: NamedMigration,
    { lockTimeoutMs }: { lockTimeoutMs: number },
  ): Promise<boolean> {
    const deleted = (await transaction.query(
      `WITH patience AS MATERIALIZED (SELECT pg_catalog.set_config('lock_timeout', $3, true)),
       deleted AS (
         DELETE FROM ${this.#table} USING patience WHERE tenant_id = $1 AND name = $2 AND state = 'done' RETURNING name)
       SELECT pg_catalog.current_schema() AS schema FROM deleted`,
      [tenant.id, name, `${lockTimeoutMs}`],
    )) as { schema: string | null }[];
    return isOurs(deleted, tenant);
  }

  /** Writes beside the tenant what it has seen last. Its `updatedAt` stays: nobody has changed it in that sense. */
  async writeVersion(transaction: SqlExecutor, tenantId: string): Promise<void> {
    await transaction.query(
      `UPDATE ${this.#tenants} SET version = version + 1, schema_version = (
         SELECT name FROM ${this.#table} WHERE tenant_id = $1 AND state = 'done' ORDER BY timestamp DESC, name DESC LIMIT 1)
       WHERE id = $1`,
      [tenantId],
    );
  }

  /** What `writeVersion` writes, for stores that keep tenants elsewhere. */
  async readVersion(executor: SqlExecutor, tenantId: string): Promise<string | null> {
    const [row] = (await executor.query(
      `SELECT name FROM ${this.#table} WHERE tenant_id = $1 AND state = 'done' ORDER BY timestamp DESC, name DESC LIMIT 1`,
      [tenantId],
    )) as { name: string }[];
    return row?.name ?? null;
  }

  /** What failed, for people to read. It never covers up that the migration is done. */
  async recordFailure(
    executor: SqlExecutor,
    { tenantId, message, statement }: MigrationFailure,
    { name, timestamp }: NamedMigration,
    runId: string,
  ): Promise<void> {
    await executor.query(
      `INSERT INTO ${this.#table} AS ledger (tenant_id, name, timestamp, state, run_id, error, statement)
       VALUES ($1, $2, $3, 'failed', $4, $5, $6)
       ON CONFLICT (tenant_id, name) DO UPDATE SET at = pg_catalog.clock_timestamp(), run_id = excluded.run_id,
         error = excluded.error, statement = excluded.statement
       WHERE ledger.state = 'failed'`,
      // PostgreSQL's text holds no NUL.
      [tenantId, name, timestamp, runId, withoutNul(message), statement && withoutNul(statement)],
    );
  }

  /** What is not as it should be, the latest first, at most 100 entries. */
  async listTroubles(executor: SqlExecutor): Promise<MigrationTrouble[]> {
    const found = (await executor.query(
      `SELECT nullif(tenant_id, $1::uuid) AS "tenantId", name AS migration, state, error, statement, run_id AS "runId", at
       FROM ${this.#table} m WHERE state <> 'done' AND NOT EXISTS (
         SELECT FROM ${this.#tenants} t WHERE t.id = m.tenant_id AND t.status = 'purged')
       ORDER BY at DESC, tenant_id LIMIT 100`,
      [TEMPLATE_ID],
    )) as MigrationTrouble[];
    return found;
  }

  async recordDurations(
    executor: SqlExecutor,
    runId: string,
    durations: readonly { tenantId: string; name: string; ms: number }[],
  ): Promise<void> {
    if (durations.length === 0) return;
    // Several lists side by side are syntax, which no schema's name may stand before.
    await executor.query(
      `UPDATE ${this.#table} AS ledger SET duration_ms = new.ms
       FROM unnest($2::uuid[], $3::text[], $4::integer[]) AS new (tenant_id, name, ms)
       WHERE ledger.tenant_id = new.tenant_id AND ledger.name = new.name AND ledger.run_id = $1`,
      [
        runId,
        durations.map(({ tenantId }) => tenantId),
        durations.map(({ name }) => name),
        durations.map(({ ms }) => Math.round(ms)),
      ],
    );
  }
}

/** Shared schemas come after the tenant's on the path, and a migration must not work on them because its own is gone. */
function isOurs([entry]: readonly { schema: string | null }[], { slug, schemaName }: Tenant): boolean {
  if (!entry) return false;
  if (entry.schema !== schemaName) throw new SchemaGoneError(`tenant "${slug}"`, schemaName);
  return true;
}

function withoutNul(text: string): string {
  return text.replaceAll('\0', '\\0');
}
