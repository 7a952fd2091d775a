import { DataSource, type DataSourceOptions } from 'typeorm';
import {
  initializeTenantDataSource,
  tenantDriver,
  withEmptySearchPathInUrl,
} from '../lib/connection/typeorm/tenant-data-source';
import { TenantContext } from '../lib/context/tenant-context';
import { InMemoryTenantStore } from '../lib/registry/store/in-memory-tenant.store';
import type { Tenant } from '../lib/registry/tenant';
import { WrongAnswerError } from './bench';

export interface FairnessVariant {
  readonly name: string;
  find(tenant: Tenant): Promise<void>;
  beSlow(tenant: Tenant): Promise<void>;
  close(): Promise<void>;
}

type OpenVariant = (url: string, poolSize: number) => Promise<FairnessVariant>;

const SLOW = 'SELECT pg_sleep(0.05)';

async function ours(url: string, poolSize: number): Promise<FairnessVariant> {
  const context = new TenantContext(new InMemoryTenantStore());
  const lending = { context, maxConnectionsPerTenant: poolSize / 2 };
  const dataSource = await initializeTenantDataSource(
    { ...commonOptions(url, poolSize), driver: tenantDriver(lending) },
    context,
  );
  return variantOf('ours', dataSource, (tenant, sql) => context.run(tenant, () => dataSource.query(sql)), '');
}

/** A pool that serves requests in the order in which they come. */
async function oneQueue(url: string, poolSize: number): Promise<FairnessVariant> {
  const dataSource = await new DataSource(commonOptions(url, poolSize)).initialize();
  return variantOf('one-queue', dataSource, (_tenant, sql) => dataSource.query(sql), 'schema');
}

export const FAIRNESS_VARIANTS: readonly OpenVariant[] = [ours, oneQueue];

function variantOf(
  name: string,
  dataSource: DataSource,
  query: (tenant: Tenant, sql: string) => Promise<unknown>,
  qualifier: '' | 'schema',
): FairnessVariant {
  return {
    name,
    find: async (tenant) => {
      const table = qualifier && `${tenant.schemaName}.`;
      const rows = (await query(tenant, `SELECT owner FROM ${table}note WHERE id = 1`)) as {
        owner: string;
      }[];
      if (rows.length !== 1 || rows[0].owner !== tenant.slug)
        throw new WrongAnswerError(name, tenant.slug, rows);
    },
    beSlow: async (tenant) => void (await query(tenant, SLOW)),
    close: () => dataSource.destroy(),
  };
}

function commonOptions(url: string, poolSize: number) {
  return {
    type: 'postgres',
    url: withEmptySearchPathInUrl(url),
    poolSize,
    installExtensions: false,
    connectTimeoutMS: 10_000,
    extra: { keepAlive: true, idleTimeoutMillis: 0 },
  } satisfies DataSourceOptions;
}
