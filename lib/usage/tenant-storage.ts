import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { isOutage } from '../common/outage';
import { TenancyUnavailableError } from '../common/tenancy.errors';
import { TENANT_DATA_SOURCE } from '../connection/typeorm/tenant-data-source';
import { TenantContext } from '../context/tenant-context';
import type { Tenant } from '../registry/tenant';

/** What a tenant's schema takes. */
export interface StorageUsage {
  /** Of all tables and materialized views, with their indexes and what PostgreSQL keeps beside them. */
  readonly bytes: number;
  /** As PostgreSQL's own statistics have it: about right soon after changes, exact after ANALYZE. */
  readonly rows: number;
}

/** A table that is being altered is waited for this long, on one of the connections that the tenant may have. */
const LOCK_TIMEOUT = '500ms';

/** SQLSTATE of a lock that was not had in time. */
const LOCK_NOT_AVAILABLE = '55P03';

/** Counted since the statistics were last lost, by a crash, if there is anything; else what VACUUM or ANALYZE has seen. */
const LIVE_ROWS = 'coalesce(nullif(pg_catalog.pg_stat_get_live_tuples(c.oid), 0), greatest(c.reltuples, 0))';

const SIZE = `
  SELECT coalesce(pg_catalog.sum(pg_catalog.pg_total_relation_size(c.oid)), 0)::float8 AS bytes,
         coalesce(pg_catalog.sum(${LIVE_ROWS}), 0)::float8 AS rows
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'm')`;

/** Asks PostgreSQL how large tenants' schemas are. */
@Injectable()
export class TenantStorage {
  constructor(
    @InjectDataSource(TENANT_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
  ) {}

  /**
   * Runs as a statement of the tenant's own, in its share of the connections: a tenant that asks often waits for itself.
   *
   * @throws TenantBusyError; TenancyUnavailableError, also while one of its tables is locked for long
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
      // The second is what becomes of the first for a tenant with a lock timeout of its own.
      const isLocked = [LOCK_NOT_AVAILABLE, 'LOCK_TIMEOUT'].includes(
        String((error as { code?: unknown }).code),
      );
      if (isLocked || isOutage(error))
        throw new TenancyUnavailableError("The size of the tenant's schema", { cause: error });
      throw error;
    }
  }
}
