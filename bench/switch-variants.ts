import { placesOf } from '../test/support/places';
import { DataSource, type DataSourceOptions } from 'typeorm';
import {
  initializeTenantDataSource,
  tenantDriver,
  withEmptySearchPathInUrl,
} from '../lib/connection/typeorm/tenant-data-source';
import { TenantContext } from '../lib/context/tenant-context';
import { InMemoryTenantStore } from '../lib/registry/store/in-memory-tenant.store';
import { placeOf } from '../lib/placement/place';
import type { Tenant } from '../lib/registry/tenant';
import { Note } from './fleet';
import { makeFleetRoles } from './switch-roles';

export interface SwitchSetting {
  readonly url: string;
  readonly fleet: readonly Tenant[];
  readonly poolSize: number;
  /** URLs of further servers, by name, each with a pool of that size. Default none. */
  readonly servers?: Readonly<Record<string, string>>;
}

/** One way to reach a tenant's rows. */
export interface SwitchVariant {
  readonly name: string;
  /** Whom the callers ask for. */
  readonly tenants: readonly Tenant[];
  /** How many connections it may open in all. */
  readonly connections: number;
  find(tenant: Tenant, id: number): Promise<Note[]>;
  close(): Promise<void>;
}

type OpenVariant = (setting: SwitchSetting) => Promise<SwitchVariant>;

/** More of them, with a pool of ten each, would be more than PostgreSQL's default 100 connections. */
const TENANTS_WITH_OWN_DATA_SOURCE = 20;

/** TypeORM as everybody knows it: one schema, no tenancy. */
async function singleTenant({ url, fleet, poolSize }: SwitchSetting): Promise<SwitchVariant> {
  const tenants = fleet.slice(0, 1);
  const dataSource = await plainDataSource(withSearchPath(url, tenants[0].schemaName), poolSize);
  const repository = dataSource.getRepository(Note);
  return {
    name: 'single-tenant',
    tenants,
    connections: poolSize,
    find: (_tenant, id) => repository.find({ where: { id } }),
    close: () => dataSource.destroy(),
  };
}

/**
 * Every tenant by its table's qualified name, on connections that never switch: what one pool can give at most.
 * `EntityManager.find` in its own words, but for the table's path in the query's main alias; so the SQL is built and
 * the rows are made entities by the same code as in all other variants.
 */
async function qualified({ url, fleet, poolSize }: SwitchSetting): Promise<SwitchVariant> {
  const dataSource = await plainDataSource(withEmptySearchPathInUrl(url), poolSize);
  const { manager } = dataSource;
  const { name, tableName } = dataSource.getMetadata(Note);
  return {
    name: 'qualified',
    tenants: fleet,
    connections: poolSize,
    find: async ({ schemaName }, id) => {
      const query = manager.createQueryBuilder(Note, name).setFindOptions({ where: { id } });
      query.expressionMap.mainAlias!.tablePath = `${schemaName}.${tableName}`;
      return query.getMany();
    },
    close: () => dataSource.destroy(),
  };
}

export async function openOurs({
  url,
  fleet,
  poolSize,
  servers = {},
}: SwitchSetting): Promise<SwitchVariant> {
  const context = new TenantContext(new InMemoryTenantStore());
  const dataSource = await initializeTenantDataSource(
    {
      ...commonOptions(withEmptySearchPathInUrl(url), poolSize),
      // As `TenancyModule` makes it.
      driver: tenantDriver({
        context,
        maxConnectionsPerTenant: poolSize / 2,
        maxConnectionsPerDatabase: 2,
        maxWaitingPerTenant: 1_000,
        maxTenantsPerConnection: 1_000,
        leaseWarningMs: 30_000,
        placements: placesOf(placeOf),
        servers: Object.fromEntries(
          Object.entries(servers).map(([name, connectionString]) => [
            name,
            { connectionString: withEmptySearchPathInUrl(connectionString), max: poolSize, ...POOL_OPTIONS },
          ]),
        ),
        // They are those of the bench.
        checkServer: () => Promise.resolve({ pooler: 'none' }),
      }),
    },
    context,
  );
  const repository = dataSource.getRepository(Note);
  return {
    name: 'ours',
    tenants: fleet,
    connections: poolSize,
    find: (tenant, id) => context.run(tenant, () => repository.find({ where: { id } })),
    close: () => dataSource.destroy(),
  };
}

/** The same with `roles: true`: each statement runs as the tenant's own role. */
async function withRoles({ url, fleet, poolSize }: SwitchSetting): Promise<SwitchVariant> {
  const roles = await makeFleetRoles(url, fleet);
  const context = new TenantContext(new InMemoryTenantStore());
  const dataSource = await initializeTenantDataSource(
    {
      ...commonOptions(withEmptySearchPathInUrl(roles.url), poolSize),
      driver: tenantDriver({ context, roles: true }),
    },
    context,
  );
  const repository = dataSource.getRepository(Note);
  return {
    name: 'ours-with-roles',
    tenants: fleet,
    connections: poolSize,
    find: (tenant, id) => context.run(tenant, () => repository.find({ where: { id } })),
    close: async () => {
      await dataSource.destroy();
      await roles.drop();
    },
  };
}

/** A connection is taken, told its path, used and given back. */
async function awaitedSet({ url, fleet, poolSize }: SwitchSetting): Promise<SwitchVariant> {
  const dataSource = await plainDataSource(withEmptySearchPathInUrl(url), poolSize);
  return {
    name: 'awaited-set',
    tenants: fleet,
    connections: poolSize,
    find: async ({ schemaName }, id) => {
      const queryRunner = dataSource.createQueryRunner();
      try {
        await queryRunner.query(`SET search_path = ${schemaName}`);
        return await queryRunner.manager.find(Note, { where: { id } });
      } finally {
        await queryRunner.release();
      }
    },
    close: () => dataSource.destroy(),
  };
}

/** The path is local to a transaction that is opened for the statement. */
async function transaction({ url, fleet, poolSize }: SwitchSetting): Promise<SwitchVariant> {
  const dataSource = await plainDataSource(withEmptySearchPathInUrl(url), poolSize);
  return {
    name: 'transaction',
    tenants: fleet,
    connections: poolSize,
    find: ({ schemaName }, id) =>
      dataSource.transaction(async (manager) => {
        await manager.query(`SET LOCAL search_path = ${schemaName}`);
        return manager.find(Note, { where: { id } });
      }),
    close: () => dataSource.destroy(),
  };
}

/** A DataSource with one connection for each tenant: few tenants, and still more connections than all others have. */
async function dataSourcePerTenant({ url, fleet }: SwitchSetting): Promise<SwitchVariant> {
  const tenants = fleet.slice(0, TENANTS_WITH_OWN_DATA_SOURCE);
  const dataSources = new Map<Tenant, DataSource>();
  for (const tenant of tenants) {
    dataSources.set(tenant, await plainDataSource(withSearchPath(url, tenant.schemaName), 1));
  }
  return {
    name: 'datasource-per-tenant',
    tenants,
    connections: tenants.length,
    find: (tenant, id) => dataSources.get(tenant)!.getRepository(Note).find({ where: { id } }),
    close: async () => {
      for (const dataSource of dataSources.values()) await dataSource.destroy();
    },
  };
}

export const SWITCH_VARIANTS: readonly OpenVariant[] = [
  singleTenant,
  qualified,
  openOurs,
  withRoles,
  awaitedSet,
  transaction,
  dataSourcePerTenant,
];

/** A connection that idles while others have their turn must be there, and warm, in the next round. */
const POOL_OPTIONS = { keepAlive: true, idleTimeoutMillis: 0 };

function plainDataSource(url: string, poolSize: number): Promise<DataSource> {
  return new DataSource(commonOptions(url, poolSize)).initialize();
}

/** The same for every variant, with the pool's settings that `TenancyModule` makes. */
function commonOptions(url: string, poolSize: number) {
  return {
    type: 'postgres',
    url,
    poolSize,
    entities: [Note],
    installExtensions: false,
    connectTimeoutMS: 10_000,
    extra: POOL_OPTIONS,
  } satisfies DataSourceOptions;
}

function withSearchPath(url: string, schemaName: string): string {
  const parsed = new URL(url);
  parsed.searchParams.set('options', `-c search_path=${schemaName}`);
  return parsed.href;
}
