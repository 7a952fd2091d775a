import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { isOutage } from '../common/outage';
import { TenancyUnavailableError } from '../common/tenancy.errors';
import { REGISTRY_DATA_SOURCE } from '../data-sources';
import type { Tenant } from '../tenant/tenant';

/** What a tenant's schema takes. */
export interface StorageUsage {
  /** Of all tables and materialized views, with their indexes and what PostgreSQL keeps beside them. */
  readonly bytes: number;
  /** As PostgreSQL's own statistics have it: about right soon after changes, exact after ANALYZE. */
  readonly rows: number;
}

/** A table that is being altered is waited for this long; the registry has two connections for all. */
const LOCK_TIMEOUT = '2s';

/** SQLSTATE of a lock that was not had in time. */
const LOCK_NOT_AVAILABLE = '55P03';

/** Counted since the statistics were last lost, by a crash, if there is anything; else what VACUUM or ANALYZE has seen. */
const LIVE_ROWS = 'coalesce(nullif(pg_stat_get_live_tuples(c.oid), 0), greatest(c.reltuples, 0))';

const SIZE = `
  SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::float8 AS bytes, coalesce(sum(${LIVE_ROWS}), 0)::float8 AS rows
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'm')`;

/** Asks PostgreSQL how large tenants' schemas are. */
@Injectable()
export class TenantStorage {
  constructor(@InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource) {}

  /** @throws TenancyUnavailableError, also while one of its tables is locked for long */
  async of({ schemaName }: Pick<Tenant, 'schemaName'>): Promise<StorageUsage> {
    try {
      return await this.registry.transaction(async (manager) => {
        await manager.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
        const [size] = await manager.query<[StorageUsage]>(SIZE, [schemaName]);
        return size;
      });
    } catch (error) {
      const isLocked = (error as { code?: unknown }).code === LOCK_NOT_AVAILABLE;
      if (isLocked || isOutage(error))
        throw new TenancyUnavailableError("The size of the tenant's schema", { cause: error });
      throw error;
    }
  }
}
