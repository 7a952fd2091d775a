import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { quoteIdentifier, type SqlExecutor } from '../common/sql';
import { REGISTRY_DATA_SOURCE } from '../registry/registry';
import { registrySchema } from '../registry/registry-schema';
import { recordAction } from '../registry/events/audit-events';
import type { TenantAction } from '../registry/events/tenant-audit';

/** What a tenant has set, whether it is declared or not. */
export interface SettingRow {
  readonly tenantId: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** How often it was changed: 0 at first. */
  readonly version: number;
}

const COLUMNS = 'tenant_id AS "tenantId", settings, version';

/** The SQL of settings. Every statement names the registry's schema. */
@Injectable()
export class SettingRows {
  constructor(@InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource) {}

  get #schema(): string {
    return quoteIdentifier(registrySchema(this.registry));
  }

  async find(executor: SqlExecutor, tenantIds: readonly string[]): Promise<SettingRow[]> {
    return (await executor.query(
      `SELECT ${COLUMNS} FROM ${this.#schema}.tenant_settings WHERE tenant_id = ANY($1::uuid[])`,
      [tenantIds],
    )) as SettingRow[];
  }

  /**
   * The row, which is made if it does not exist, locked until the transaction ends. `undefined` for a purged tenant;
   * while the transaction is open, the tenant cannot be purged.
   */
  async lock(transaction: SqlExecutor, tenantId: string): Promise<SettingRow | undefined> {
    const [tenant] = (await transaction.query(
      `SELECT status FROM ${this.#schema}.tenants WHERE id = $1 FOR SHARE`,
      [tenantId],
    )) as { status: string }[];
    // Tenants of another store are not in these tables.
    if (tenant?.status === 'purged') return undefined;
    await transaction.query(
      `INSERT INTO ${this.#schema}.tenant_settings (tenant_id) VALUES ($1) ON CONFLICT DO NOTHING`,
      [tenantId],
    );
    const [row] = (await transaction.query(
      `SELECT ${COLUMNS} FROM ${this.#schema}.tenant_settings WHERE tenant_id = $1 FOR UPDATE`,
      [tenantId],
    )) as SettingRow[];
    return row;
  }

  /** `value` is JSON text; `undefined` removes the key. The caller must have locked the row. */
  async write(
    transaction: SqlExecutor,
    tenantId: string,
    key: string,
    value: string | undefined,
  ): Promise<void> {
    const changed =
      value === undefined
        ? 'settings - $2::text'
        : 'settings || pg_catalog.jsonb_build_object($2::text, $3::jsonb)';
    await transaction.query(
      `UPDATE ${this.#schema}.tenant_settings SET settings = ${changed}, version = version + 1,
         updated_at = pg_catalog.clock_timestamp() WHERE tenant_id = $1`,
      value === undefined ? [tenantId, key] : [tenantId, key, value],
    );
  }

  record(transaction: SqlExecutor, tenantId: string, action: TenantAction): Promise<void> {
    return recordAction(transaction, this.#schema, tenantId, action);
  }
}
