import {
  getDataSourceToken,
  type TypeOrmModuleAsyncOptions,
  type TypeOrmModuleOptions,
} from '@nestjs/typeorm';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { KEEP_ALIVE } from '../../common/silence';
import {
  ADMIN_DATA_SOURCE,
  initializeTenantDataSource,
  TENANT_DATA_SOURCE,
  tenantDriver,
  withEmptySearchPath,
  withEmptySearchPathInUrl,
  keepLostConnections,
} from './tenant-data-source';
import { TenantContext } from '../../context/tenant-context';
import { connectionOf, ownersOf, poolConfigOf, withOptions } from './own-connections';
import { otherWays, type Way } from './other-ways';
import { type Reaching, reachDatabase, reaching } from './reach-database';
import { CONNECTION_OPTIONS, type ConnectionOptions } from '../connection.options';
import type { CheckedDatabaseOptions } from '../database.options';
import {
  LOOKUPS_DATA_SOURCE,
  openRegistry,
  REGISTRY_DATA_SOURCE,
  type RegistryOptions,
  registryOptions,
} from '../../registry/registry';
import { REGISTRY_MIGRATIONS, type RegistryMigration } from '../../registry/registry-migrations';
import { RegistryTurns } from '../../registry/registry-turns';
import { PlaceLookup } from '../../registry/cache/place-lookup';
import type { ServerOptions } from '../servers/server.options';
import { databaseOfServer, hasReplicasByServer, replicaPoolOf, replicasOf } from '../servers/server-database';
import { Servers } from '../servers/servers';
import type { Tenant } from '../../registry/tenant';

/** PostgreSQL's bound for names, in bytes. A slug is ASCII. */
const MAX_APPLICATION_NAME = 63;

/** What travels with TypeORM's options to the factory of the registry's data source. */
interface ForRegistry extends Reaching {
  readonly migrateRegistry: boolean;
  readonly ways: readonly Way[];
}

/** The same for the tenants' one. */
interface ForTenants extends Reaching {
  readonly tenantContext: TenantContext;
  readonly sharedSchemas: readonly string[];
  readonly directUrl?: string;
}

/** The registry's data source: our own tables, our own small pool, in which tenants take turns. */
export const registryDataSource: TypeOrmModuleAsyncOptions = {
  name: REGISTRY_DATA_SOURCE,
  inject: [CONNECTION_OPTIONS, RegistryTurns, REGISTRY_MIGRATIONS],
  useFactory: (
    options: ConnectionOptions,
    turns: RegistryTurns,
    migrations: readonly RegistryMigration[],
  ): TypeOrmModuleOptions & ForRegistry => ({
    ...registryOptions({
      ...toRegistry(options),
      migrations,
      inTurns: { turns, maxWaitingPerTenant: options.database.maxWaitingPerTenant },
    }),
    ...reaching(ownersOf(options.database), options.database),
    migrateRegistry: options.registry.migrate,
    ways: otherWays(options.database),
    // Nest 11 closes a data source by the name in its options.
    name: REGISTRY_DATA_SOURCE,
  }),
  dataSourceFactory: async (options) => {
    const { migrateRegistry, ways, login, patience, ...dataSourceOptions } = options as DataSourceOptions &
      ForRegistry;
    const registry = keepLostConnections(new DataSource(dataSourceOptions));
    const reach = <T>(open: () => Promise<T>) => reachDatabase('The registry', login, patience, open);
    try {
      // Later one of them may be away, and look-ups are remembered for a moment only. A wrong one would stay so.
      if (ways.length > 0) await reach(() => registry.initialize());
      for (const way of ways) await reachDatabase(way.name, way.login, patience, () => way.check(registry));
      await reach(() => openRegistry(registry, { migrate: migrateRegistry }));
      return registry;
    } catch (error) {
      if (registry.isInitialized) await registry.destroy();
      throw error;
    }
  },
};

/** Another way to the same tables. */
export const lookupsDataSource: TypeOrmModuleAsyncOptions = {
  name: LOOKUPS_DATA_SOURCE,
  // Opened after the registry, which tells first what is wrong with it.
  inject: [CONNECTION_OPTIONS, getDataSourceToken(REGISTRY_DATA_SOURCE)],
  useFactory: (options: ConnectionOptions): TypeOrmModuleOptions & Reaching => ({
    ...registryOptions(toRegistry(options)),
    ...reaching(ownersOf(options.database), options.database),
    name: LOOKUPS_DATA_SOURCE,
  }),
  dataSourceFactory: (options) => {
    const { login, patience, ...dataSourceOptions } = options as DataSourceOptions & Reaching;
    return reachDatabase('The registry', login, patience, () =>
      keepLostConnections(new DataSource(dataSourceOptions)).initialize(),
    );
  },
};

function toRegistry({ database, registry }: ConnectionOptions): RegistryOptions {
  return {
    ...connectionOf(ownersOf(database)),
    schema: registry.schema,
    connectTimeoutMs: database.connectTimeoutMs,
    answerTimeoutMs: database.answerTimeoutMs,
  };
}

/** The tenants' data source: one pool for all of them. */
export const tenantsDataSource: TypeOrmModuleAsyncOptions = {
  name: TENANT_DATA_SOURCE,
  // Opened after the registry: two that wait for one server at the same time would say everything twice.
  inject: [CONNECTION_OPTIONS, TenantContext, Servers, PlaceLookup],
  useFactory: (
    options: ConnectionOptions,
    tenantContext: TenantContext,
    servers: Servers,
    placements: PlaceLookup,
  ) =>
    ({
      ...tenantDataSourceOptions(options, tenantContext, servers, placements),
      ...reaching(options.database, options.database, options.typeorm?.replication),
      tenantContext,
      sharedSchemas: options.sharedSchemas,
      directUrl: options.database.directUrl,
      name: TENANT_DATA_SOURCE,
    }) as unknown as TypeOrmModuleOptions,
  dataSourceFactory: (options) => {
    const { tenantContext, sharedSchemas, directUrl, login, patience, ...dataSourceOptions } =
      options as unknown as DataSourceOptions & ForTenants;
    return reachDatabase("The tenants' data source", login, patience, () =>
      initializeTenantDataSource(dataSourceOptions, tenantContext, directUrl, { sharedSchemas }),
    );
  },
};

/**
 * For DDL. Without `roles` the same object as the tenants' one: closed twice, it is closed once. With them it has a pool
 * of its own, of the role that owns the schemas.
 */
export const adminDataSource: TypeOrmModuleAsyncOptions = {
  name: ADMIN_DATA_SOURCE,
  inject: [CONNECTION_OPTIONS, TenantContext, Servers, PlaceLookup, getDataSourceToken(TENANT_DATA_SOURCE)],
  useFactory: (
    options: ConnectionOptions,
    tenantContext: TenantContext,
    servers: Servers,
    placements: PlaceLookup,
    shared: DataSource,
  ) =>
    ({
      ...(options.roles
        ? {
            ...tenantDataSourceOptions(forOwner(options), tenantContext, servers, placements),
            ...reaching(ownersOf(options.database), options.database),
          }
        : { shared }),
      tenantContext,
      sharedSchemas: options.sharedSchemas,
      directUrl: options.database.directUrl ?? options.database.adminUrl,
      name: ADMIN_DATA_SOURCE,
    }) as unknown as TypeOrmModuleOptions,
  dataSourceFactory: (options) => {
    const { shared, tenantContext, sharedSchemas, directUrl, login, patience, ...dataSourceOptions } =
      options as unknown as DataSourceOptions & ForTenants & { readonly shared?: DataSource };
    if (shared) return Promise.resolve(shared);
    const ownership = { sharedSchemas, servesRequests: false };
    return reachDatabase("The owner's data source", login, patience, () =>
      initializeTenantDataSource(dataSourceOptions, tenantContext, directUrl, ownership),
    );
  },
};

/** The options of a data source that runs as the owner: on one server, and never as a tenant's role. */
function forOwner(options: ConnectionOptions): ConnectionOptions {
  const { database, servers, typeorm } = options;
  const owners = Object.entries(servers).map(([name, { adminUrl, directUrl: _, ...server }]) => [
    name,
    { ...server, url: adminUrl ?? server.url, replicas: undefined },
  ]);
  return {
    ...options,
    roles: false,
    database: ownersOf(database),
    servers: Object.fromEntries(owners) as Record<string, ServerOptions>,
    typeorm: { ...typeorm, replication: undefined },
  };
}

function tenantDataSourceOptions(
  options: ConnectionOptions,
  context: TenantContext,
  servers: Servers,
  placements: PlaceLookup,
): DataSourceOptions {
  const { database, entities, migrations, subscribers, sharedSchemas, roles, typeorm } = options;
  const connection = connectionOf(database);
  const { extra } = connection;
  const isByServer = hasReplicasByServer(options);
  const replication =
    typeorm?.replication && (isByServer ? { ...typeorm.replication, slaves: [] } : typeorm.replication);
  const replicas = Object.fromEntries(
    (isByServer ? servers.names : [])
      .map((name) => [name, replicasOf(options, name).map(replicaPoolOf)] as const)
      .filter(([, pools]) => pools.length > 0),
  );
  return {
    ...typeorm,
    ...withEmptyPath(connection, extra?.options),
    replication: replication && {
      ...replication,
      master: withEmptyPath(replication.master, extra?.options),
      slaves: replication.slaves.map((slave) => withEmptyPath(slave, extra?.options)),
    },
    type: 'postgres',
    driver: tenantDriver({
      ...{ context, sharedSchemas, roles, placements, moveWaitMs: options.moves.waitMs },
      ...poolOptionsOf(database, roles),
      servers: Object.fromEntries(
        servers.further.map((name) => [name, poolConfigOf(databaseOfServer(options, name))]),
      ),
      replicas,
      checkServer: (name) => servers.check(name),
      lostServer: (name, error) => servers.lost(name, error),
      checkReplica: (name, index) => servers.checkReplica(name, index),
      lostReplica: (name, index, error) => servers.lostReplica(name, index, error),
    }),
    entities,
    migrations,
    subscribers,
    poolSize: database.poolSize,
    connectTimeoutMS: database.connectTimeoutMs,
    installExtensions: false,
    uuidExtension: 'pgcrypto',
    extra: {
      ...KEEP_ALIVE,
      ...extra,
      options: withEmptySearchPath(extra?.options ?? process.env.PGOPTIONS),
    },
  };
}

/** A server whose URL, if it has one, asks for an empty path. One that is named by its parts is told so by `extra`. */
function withEmptyPath<Server extends { readonly url?: string }>(
  server: Server,
  options: string | undefined,
): Server {
  return { ...server, url: server.url && withEmptySearchPathInUrl(withOptions(server.url, options)) };
}

/** How the tenants' pool gives out its connections. */
function poolOptionsOf(database: CheckedDatabaseOptions, hasRoles: boolean) {
  const {
    answerTimeoutMs,
    maxConnectionsPerTenant,
    maxConnectionsPerDatabase,
    maxWaitingPerTenant,
    maxTenantsPerConnection,
    leaseWarningMs,
    timeouts,
    tenantInApplicationName,
    applicationName,
  } = database;
  return {
    answerTimeoutMs,
    maxConnectionsPerTenant,
    maxConnectionsPerDatabase,
    maxWaitingPerTenant,
    maxTenantsPerConnection,
    leaseWarningMs,
    timeouts,
    applicationNameOf: tenantInApplicationName
      ? // Every role of the database reads it in pg_stat_activity: where tenants have one, it names no customer.
        ({ slug, schemaName }: Tenant) => applicationNameOf(hasRoles ? schemaName : slug, applicationName)
      : undefined,
  };
}

/** The tenant first: PostgreSQL cuts what is longer. */
function applicationNameOf(tenant: string, applicationName: string | undefined): string {
  return (applicationName === undefined ? tenant : `${tenant}/${applicationName}`).slice(
    0,
    MAX_APPLICATION_NAME,
  );
}
