import type { DataSource, DataSourceOptions } from 'typeorm';
import { orUnavailable } from '../common/outage';
import { driverThatEndsSilence, KEEP_ALIVE } from '../common/silence';
import { assertRegistryMigrated, migrateRegistry, MIGRATIONS_TABLE } from './migrate-registry';
import { CORE_MIGRATIONS, type RegistryMigration } from './registry-migrations';
import { checkRegistrySchema, DEFAULT_REGISTRY_SCHEMA } from './registry-schema';
import { poolInTurns, type RegistryPoolOptions } from './registry-turns';
import { TenantDomainEntity } from './store/tenant-domain.entity';
import { TenantEntity } from './store/tenant.entity';

type PostgresDataSourceOptions = Extract<DataSourceOptions, { type: 'postgres' }>;

/** The registry's, for all work but look-ups. */
export const REGISTRY_DATA_SOURCE = 'tenancy-registry';

/**
 * The registry's, for look-ups that every request may need (tenants, keys, settings) and the beat of the change feed.
 * Nothing that a tenant can order in numbers goes this way.
 */
export const LOOKUPS_DATA_SOURCE = 'tenancy-lookups';

/** How to reach the registry: TypeORM's own connection options, and those below. */
export interface RegistryOptions extends Pick<
  PostgresDataSourceOptions,
  | 'url'
  | 'host'
  | 'port'
  | 'username'
  | 'password'
  | 'database'
  | 'ssl'
  | 'applicationName'
  | 'extra'
  | 'logging'
> {
  /** The schema that holds the registry's tables: 1 to 63 characters of `[a-z0-9_]`. Default `tenancy`. */
  readonly schema?: string;
  /**
   * The migrations that make its tables. Default: those that every application needs, without those of optional
   * modules.
   */
  readonly migrations?: readonly RegistryMigration[];
  /**
   * Checkout timeout: how long to wait for a connection before the registry counts as unavailable, in milliseconds.
   * Default 5,000.
   */
  readonly connectTimeoutMs?: number;
  /**
   * Makes tenants take turns at its connections. Default: first come, first served, for code that serves no tenants.
   */
  readonly inTurns?: RegistryPoolOptions;
  /** How long PostgreSQL may be silent while it owes an answer, in milliseconds. Default 30,000, which is the most. */
  readonly answerTimeoutMs?: number;
}

/**
 * For look-ups, which are cached and short, and as many for all other work. They are the registry's own: a request that
 * holds the last connection of the tenants' pool while it asks who its tenant is would wait for itself.
 */
const MAX_CONNECTIONS = 2;

const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;

/** Every query of the registry takes milliseconds, and it has only two connections, which must not hang. */
const MAX_ANSWER_TIMEOUT_MS = 30_000;

/** Options of the registry's DataSource. Throws `RangeError` for a schema that cannot be used. */
export function registryOptions({
  schema = DEFAULT_REGISTRY_SCHEMA,
  connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS,
  answerTimeoutMs = MAX_ANSWER_TIMEOUT_MS,
  inTurns,
  migrations = CORE_MIGRATIONS,
  extra,
  ...connection
}: RegistryOptions): PostgresDataSourceOptions {
  const driver = driverThatEndsSilence(Math.min(answerTimeoutMs, MAX_ANSWER_TIMEOUT_MS));
  return {
    ...connection,
    type: 'postgres',
    driver: inTurns ? { ...driver, Pool: poolInTurns(driver.Pool, inTurns) } : driver,
    schema: checkRegistrySchema(schema),
    entities: [TenantEntity, TenantDomainEntity],
    migrations: [...migrations],
    migrationsTableName: MIGRATIONS_TABLE,
    installExtensions: false,
    connectTimeoutMS: connectTimeoutMs,
    // The pool has dropped the idle connection by then, and the next query opens another or says why it cannot.
    poolErrorHandler: () => undefined,
    // The change feed uses a connection every half a second, which must not keep a process that is done from ending.
    extra: { ...KEEP_ALIVE, allowExitOnIdle: true, ...(extra as object | undefined), max: MAX_CONNECTIONS },
  };
}

/**
 * Connects the registry and makes sure that its tables are there. After a failure everything is closed again, so it
 * may be called once more.
 *
 * @throws TenancyUnavailableError, RegistryNotMigratedError, RegistryRightsError
 */
export async function openRegistry(dataSource: DataSource, { migrate = true } = {}): Promise<void> {
  try {
    if (!dataSource.isInitialized) await dataSource.initialize();
    await (migrate ? migrateRegistry(dataSource) : assertRegistryMigrated(dataSource));
  } catch (error) {
    if (dataSource.isInitialized) await dataSource.destroy();
    throw orUnavailable('The tenant registry', error);
  }
}
