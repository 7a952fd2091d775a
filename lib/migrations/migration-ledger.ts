import { Inject, Injectable } from '@nestjs/common';
import { quoteIdentifier, type SqlExecutor } from '../common/sql';
import { checksumOf } from '../provisioning/migration-checksum';
import type { NamedMigration } from '../provisioning/named-migrations';
import { TEMPLATE_ID } from '../provisioning/unfinished-migrations';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning/provisioning.options';
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
   */
  async claim(
    transaction: SqlExecutor,
    tenantId: string,
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
       RETURNING name`,
      [tenantId, name, timestamp, checksumOf(migration), runId, `${lockTimeoutMs}`],
    )) as unknown[];
    return claimed.length === 1;
  }

  /** Whether there was such an entry, which is the caller's to revert. As `claim`. */
  async unclaim(
    transaction: SqlExecutor,
    tenantId: string,
    name: string,
    lockTimeoutMs: number,
  ): Promise<boolean> {
    const deleted = (await transaction.query(
      `WITH patience AS MATERIALIZED (SELECT pg_catalog.set_config('lock_timeout', $3, true)),
       deleted AS (
         DELETE FROM ${this.#table} USING patience WHERE tenant_id = $1 AND name = $2 AND state = 'done' RETURNING name)
       SELECT name FROM deleted`,
      [tenantId, name, `${lockTimeoutMs}`],
    )) as unknown[];
    return deleted.length === 1;
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

function withoutNul(text: string): string {
  return text.replaceAll('\0', '\\0');
}
