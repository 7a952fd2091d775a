import { Inject, Injectable } from '@nestjs/common';
import { quoteIdentifier, type SqlExecutor } from '../../common/sql';
import type { Site } from '../../placement/place';
import { checksumOf } from './migration-checksum';
import type { NamedMigration } from './named-migrations';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning.options';

/** The template's id in the ledger. No tenant has this id. */
export const TEMPLATE_ID = '00000000-0000-0000-0000-000000000000';

/** The tenant or the template that a schema belongs to. */
export interface MigrationOwner {
  readonly id: string;
  /** `tenant "acme"`, for people. */
  readonly label: string;
  readonly schemaName: string;
  /** Where it is. Default: where the work of the system around it works. */
  readonly site?: Site;
}

export function templateOwner(schemaName: string): MigrationOwner {
  return { id: TEMPLATE_ID, label: 'the template', schemaName };
}

/** A migration that began outside of a transaction and did not end. */
export interface UnfinishedMigration {
  /** `TEMPLATE_ID` for the template. */
  readonly tenantId: string;
  readonly name: string;
  readonly error: string | null;
  readonly at: Date;
}

/**
 * The SQL of the ledger's entries for migrations with `transaction = false`, which cannot write them in a transaction
 * of their own.
 */
@Injectable()
export class UnfinishedMigrations {
  readonly #table: string;

  constructor(@Inject(PROVISIONING_OPTIONS) { registrySchema }: ProvisioningOptions) {
    this.#table = `${quoteIdentifier(registrySchema)}.tenant_migrations`;
  }

  /**
   * Records that it begins. Returns whether the caller may run it: an entry with another state than `from` is not
   * changed.
   */
  async begin(
    executor: SqlExecutor,
    tenantId: string,
    { name, timestamp, migration }: NamedMigration,
    { runId, from }: { readonly runId: string | null; readonly from: 'failed' | 'done' },
  ): Promise<boolean> {
    const begun = (await executor.query(
      `INSERT INTO ${this.#table} AS ledger (tenant_id, name, timestamp, checksum, state, run_id)
       VALUES ($1, $2, $3, $4, 'unfinished', $5)
       ON CONFLICT (tenant_id, name) DO UPDATE SET state = 'unfinished', checksum = excluded.checksum,
         run_id = excluded.run_id, at = pg_catalog.clock_timestamp(), duration_ms = NULL, error = NULL, statement = NULL
       WHERE ledger.state = $6
       RETURNING name`,
      [tenantId, name, timestamp, checksumOf(migration), runId, from],
    )) as unknown[];
    return begun.length === 1;
  }

  /** Stores the error for people to read. */
  async fail(
    executor: SqlExecutor,
    tenantId: string,
    name: string,
    error: string,
    statement: string | undefined,
  ): Promise<void> {
    // PostgreSQL's text holds no NUL.
    const [message, sql] = [error, statement].map((text) => text?.replaceAll('\0', '\\0'));
    await executor.query(
      `UPDATE ${this.#table} SET error = $3, statement = $4 WHERE tenant_id = $1 AND name = $2 AND state = 'unfinished'`,
      [tenantId, name, message, sql ?? null],
    );
  }

  /** Records that it was applied. Returns whether the entry was waiting for that. */
  async complete(executor: SqlExecutor, tenantId: string, name: string): Promise<boolean> {
    const completed = (await executor.query(
      `WITH completed AS (
         UPDATE ${this.#table} SET state = 'done', error = NULL, statement = NULL
         WHERE tenant_id = $1 AND name = $2 AND state = 'unfinished' RETURNING name)
       SELECT name FROM completed`,
      [tenantId, name],
    )) as unknown[];
    return completed.length === 1;
  }

  /** Deletes the entry as if it had never run. Returns whether it was waiting for that. */
  async forget(executor: SqlExecutor, tenantId: string, name: string): Promise<boolean> {
    const forgotten = (await executor.query(
      `WITH forgotten AS (
         DELETE FROM ${this.#table} WHERE tenant_id = $1 AND name = $2 AND state = 'unfinished' RETURNING name)
       SELECT name FROM forgotten`,
      [tenantId, name],
    )) as unknown[];
    return forgotten.length === 1;
  }

  /** Those of one owner, or of one migration, or all; the earliest first. */
  async find(
    executor: SqlExecutor,
    { tenantId, name }: { readonly tenantId?: string; readonly name?: string },
  ): Promise<UnfinishedMigration[]> {
    return (await executor.query(
      `SELECT tenant_id AS "tenantId", name, error, at FROM ${this.#table}
       WHERE state = 'unfinished' AND tenant_id = coalesce($1, tenant_id) AND name = coalesce($2, name)
       ORDER BY at, tenant_id`,
      [tenantId ?? null, name ?? null],
    )) as UnfinishedMigration[];
  }
}
