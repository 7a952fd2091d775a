import { DataSource, type DataSourceOptions } from 'typeorm';
import {
  initializeTenantDataSource,
  tenantDriver,
  withEmptySearchPathInUrl,
} from '../../lib/connection/typeorm/tenant-data-source';
import type { TenantPool } from '../../lib/connection/pool/tenant-pool';
import type { TenantPoolOptions } from '../../lib/connection/pool/tenant-pool.options';
import { TenantContext } from '../../lib/context/tenant-context';
import type { Tenant } from '../../lib/registry/tenant';
import { InMemoryTenantStore } from '../../lib/registry/store/in-memory-tenant.store';
import { createTestDatabase, type TestDatabase } from './database';
import { makeTenant } from './tenants';
import { tapWire, type WireTap } from './wire-tap';

/**
 * The connection layer alone: a data source whose pool has `poolSize` connections, and two tenants that each have a
 * table `note (id, owner)` with the row (1, their slug).
 */
export interface TwoTenants {
  readonly context: TenantContext;
  readonly dataSource: DataSource;
  readonly pool: TenantPool;
  readonly database: TestDatabase;
  readonly wire: WireTap;
  readonly acme: Tenant;
  readonly globex: Tenant;
  /** Rows of one statement, run for a tenant. */
  query<Rows = Record<string, unknown>[]>(tenant: Tenant, sql: string, parameters?: unknown[]): Promise<Rows>;
  /** Everything as it was at the start. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

export async function twoTenants(
  poolSize: number,
  options: Partial<DataSourceOptions> = {},
  lending: Partial<TenantPoolOptions> = {},
): Promise<TwoTenants> {
  const database = await createTestDatabase();
  const tenants = [makeTenant('acme'), makeTenant('globex')];
  for (const { schemaName, slug } of tenants) {
    await database.query(`CREATE SCHEMA ${schemaName}`);
    await database.query(
      `CREATE TABLE ${schemaName}.note (id int PRIMARY KEY, owner text NOT NULL DEFAULT '${slug}')`,
    );
  }
  const wire = await tapWire(database.poolUrl);
  const context = new TenantContext(new InMemoryTenantStore());
  const dataSource = await initializeTenantDataSource(
    {
      type: 'postgres',
      url: withEmptySearchPathInUrl(wire.url),
      driver: tenantDriver({ context, ...lending }),
      installExtensions: false,
      poolSize,
      ...options,
    } as DataSourceOptions,
    context,
    database.url,
  );
  const reset = async () => {
    for (const { schemaName } of tenants) {
      await database.query(`TRUNCATE ${schemaName}.note`);
      await database.query(`INSERT INTO ${schemaName}.note (id) VALUES (1)`);
    }
  };
  await reset();
  const [acme, globex] = tenants;
  return {
    context,
    dataSource,
    pool: (dataSource.driver as unknown as { master: TenantPool }).master,
    database,
    wire,
    acme,
    globex,
    query: (tenant, sql, parameters) => context.run(tenant, () => dataSource.query(sql, parameters)),
    reset,
    close: async () => {
      await dataSource.destroy();
      context.onApplicationShutdown();
      await wire.close();
      await database.drop();
    },
  };
}
