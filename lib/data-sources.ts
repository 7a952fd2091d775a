import type { TypeOrmModuleAsyncOptions, TypeOrmModuleOptions } from '@nestjs/typeorm';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { isOutage } from './common/outage';
import { TenancyUnavailableError } from './common/tenancy.errors';
import {
  initializeTenantDataSource,
  TENANT_DATA_SOURCE,
  tenantDriver,
  withEmptySearchPath,
  withEmptySearchPathInUrl,
} from './connection/tenant-data-source';
import { TenantContext } from './context/tenant-context';
import { TENANCY_OPTIONS, type ResolvedTenancyOptions } from './tenancy.options';
import { openRegistry, registryOptions } from './tenant/registry';

export const REGISTRY_DATA_SOURCE = 'tenancy-registry';

/** What travels with TypeORM's options to the factory of the registry's data source. */
interface ForRegistry {
  readonly migrateRegistry: boolean;
}

/** The same for the tenants' one. */
interface ForTenants {
  readonly tenantContext: TenantContext;
}

/** The registry's data source: our own tables, our own small pool. */
export const registryDataSource: TypeOrmModuleAsyncOptions = {
  name: REGISTRY_DATA_SOURCE,
  inject: [TENANCY_OPTIONS],
  useFactory: ({ database, registry }: ResolvedTenancyOptions): TypeOrmModuleOptions & ForRegistry => ({
    ...registryOptions({
      ...connectionOf(database),
      schema: registry.schema,
      connectTimeoutMs: database.connectTimeoutMs,
    }),
    ...retries(database),
    migrateRegistry: registry.migrate,
  }),
  dataSourceFactory: async (options) => {
    const { migrateRegistry, ...dataSourceOptions } = options as DataSourceOptions & ForRegistry;
    const dataSource = new DataSource(dataSourceOptions);
    await openRegistry(dataSource, { migrate: migrateRegistry });
    return dataSource;
  },
};

/** The tenants' data source: one pool for all of them. */
export const tenantDataSource: TypeOrmModuleAsyncOptions = {
  name: TENANT_DATA_SOURCE,
  inject: [TENANCY_OPTIONS, TenantContext],
  useFactory: (options: ResolvedTenancyOptions, tenantContext: TenantContext) =>
    ({
      ...tenantDataSourceOptions(options, tenantContext),
      ...retries(options.database),
      tenantContext,
    }) as unknown as TypeOrmModuleOptions,
  dataSourceFactory: (options) => {
    const { tenantContext, ...dataSourceOptions } = options as unknown as DataSourceOptions & ForTenants;
    return reachable('The database', () => initializeTenantDataSource(dataSourceOptions, tenantContext));
  },
};

function tenantDataSourceOptions(options: ResolvedTenancyOptions, context: TenantContext): DataSourceOptions {
  const { database, entities, migrations, subscribers, sharedSchemas, typeorm } = options;
  const connection = connectionOf(database);
  const { extra } = connection;
  return {
    ...typeorm,
    ...connection,
    type: 'postgres',
    driver: tenantDriver({ context, sharedSchemas }),
    entities,
    migrations,
    subscribers,
    poolSize: database.poolSize,
    connectTimeoutMS: database.connectTimeoutMs,
    installExtensions: false,
    uuidExtension: 'pgcrypto',
    url: connection.url && withEmptySearchPathInUrl(connection.url),
    extra: {
      keepAlive: true,
      ...extra,
      options: withEmptySearchPath(extra?.options ?? process.env.PGOPTIONS),
    },
  };
}

interface PoolExtra {
  readonly options?: string;
}

function connectionOf({
  url,
  host,
  port,
  username,
  password,
  database,
  ssl,
  applicationName,
  extra,
}: ResolvedTenancyOptions['database']) {
  return {
    url,
    host,
    port,
    username,
    password,
    database,
    ssl,
    applicationName,
    extra: extra as PoolExtra | undefined,
  };
}

/** A server that is not there yet is waited for; anything else fails the start at once. */
function retries({ connectAttempts, connectRetryDelayMs }: ResolvedTenancyOptions['database']) {
  return { retryAttempts: connectAttempts, retryDelay: connectRetryDelayMs, toRetry: isOutage };
}

async function reachable(what: string, open: () => Promise<DataSource>): Promise<DataSource> {
  try {
    return await open();
  } catch (error) {
    throw isOutage(error) ? new TenancyUnavailableError(what, { cause: error }) : error;
  }
}
