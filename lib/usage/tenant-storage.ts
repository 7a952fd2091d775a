import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { isOutage } from '../common/outage';
import { TenancyUnavailableError } from '../common/tenancy.errors';
import { TENANT_DATA_SOURCE } from '../connection/typeorm/tenant-data-source';
import { TenantContext } from '../context/tenant-context';
import type { Tenant } from '../registry/tenant';

/** How much storage a tenant's schema uses. */
export interface StorageUsage {
  /** All tables and materialized views, with their indexes and TOAST tables. */
  readonly bytes: number;
  /** By PostgreSQL's own statistics: nearly right soon after changes, exact after ANALYZE. */
  readonly rows: number;
}

/** How long to wait for a table that is being altered, because the query occupies one of the tenant's connections. */
const LOCK_TIMEOUT = '500ms';

/** SQLSTATE of a lock timeout. */
const LOCK_NOT_AVAILABLE = '55P03';

/** Rows counted since a crash last reset the statistics, if there are any; else what VACUUM or ANALYZE has seen. */
const LIVE_ROWS = 'coalesce(nullif(pg_catalog.pg_stat_get_live_tuples(c.oid), 0), greatest(c.reltuples, 0))';

const SIZE = `
  SELECT coalesce(pg_catalog.sum(pg_catalog.pg_total_relation_size(c.oid)), 0)::float8 AS bytes,
         coalesce(pg_catalog.sum(${LIVE_ROWS}), 0)::float8 AS rows
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'm')`;

/** Reads from PostgreSQL how large tenants' schemas are. */
@Injectable()
export class TenantStorage {
  constructor(
    @InjectDataSource(TENANT_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
  ) {}

  /**
   * Runs as a statement of the tenant, within its share of the connections, so a tenant that asks often slows down only
   * itself.
   *
   * @throws TenantBusyError when too many of the tenant's requests wait
   * @throws TenancyUnavailableError when the database cannot be reached, or one of the tables stays locked for 500 ms
   */
  async of(tenant: Tenant): Promise<StorageUsage> {
    try {
      return await this.context.run(tenant, () =>
        this.dataSource.transaction(async (manager) => {
          await manager.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
          const [size] = await manager.query<[StorageUsage]>(SIZE, [tenant.schemaName]);
          return size;
        }),
      );
    } catch (error) {
      // The second code is our own error, thrown instead of the first when the tenant has a lock timeout of its own.
      const isLocked = [LOCK_NOT_AVAILABLE, 'LOCK_TIMEOUT'].includes(
        String((error as { code?: unknown }).code),
      );
      if (isLocked || isOutage(error))
        throw new TenancyUnavailableError("The size of the tenant's schema", { cause: error });
      throw error;
    }
  }
}
