import { DataSource, MigrationExecutor } from 'typeorm';
import type { DataSourceOptions, QueryRunner } from 'typeorm';
import { isOutage } from '../common/outage';
import { driverThatEndsSilence, KEEP_ALIVE } from '../common/silence';
import { quoteIdentifier } from '../common/sql';
import { TenancyUnavailableError } from '../common/tenancy.errors';
import { CreateRegistry1763600000000 } from './migrations/1763600000000-create-registry';
import { NotifyTenantChanges1763600100000 } from './migrations/1763600100000-notify-tenant-changes';
import { CreateAdminRecords1763600200000 } from './migrations/1763600200000-create-admin-records';
import { CreateSparesAndPurges1763600300000 } from './migrations/1763600300000-create-spares-and-purges';
import { poolInTurns, type RegistryPoolOptions } from './registry-turns';
import { checkRegistrySchema, DEFAULT_REGISTRY_SCHEMA, registrySchema } from './registry-schema';
import { CreateFleetLedger1763600400000 } from './migrations/1763600400000-create-fleet-ledger';
import { CreateApiKeys1763600500000 } from './migrations/1763600500000-create-api-keys';
import { CreateTenantSettings1763600800000 } from './migrations/1763600800000-create-tenant-settings';
import { TrackSchemaVersions1763600600000 } from './migrations/1763600600000-track-schema-versions';
import { CreateUsage1763600900000 } from './migrations/1763600900000-create-usage';
import { IdentifyRegistry1763601000000 } from './migrations/1763601000000-identify-registry';
import { KeepTemplatePrints1763601050000 } from './migrations/1763601050000-keep-template-prints';
import { CreateSharedMigrations1763601100000 } from './migrations/1763601100000-create-shared-migrations';
import { TenantAuditEntity } from './audit/tenant-audit.entity';
import { TenantDomainEntity } from './store/tenant-domain.entity';
import { TenantEntity } from './store/tenant.entity';
import { RegistryNotMigratedError } from './tenant.errors';

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
  /** How long to wait for a connection, new or lent, before the registry counts as unavailable. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** Lends its connections in turns. Default: to whoever asks first, for code that serves no tenants. */
  readonly inTurns?: RegistryPoolOptions;
  /** How long PostgreSQL may be silent while it owes an answer, in milliseconds. Default 30,000, which is the most. */
  readonly answerTimeoutMs?: number;
}

/**
 * For look-ups, which are cached and short, and as many for all other work. They are the registry's own: a request that
 * holds the last connection of the tenants' pool while it asks who its tenant is would wait for itself.
 */
const MAX_CONNECTIONS = 2;

const MIGRATIONS_TABLE = 'registry_migrations';

const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;

/** All that the registry is asked takes milliseconds. Two connections that hang would be all it has. */
const MAX_ANSWER_TIMEOUT_MS = 30_000;

/**
 * The key of the advisory lock under which the registry is migrated, to be found in `pg_locks`: `tenancy` in ASCII,
 * 0x74656e616e6379. It ends with the transaction, so it is safe behind PgBouncer.
 */
export const REGISTRY_MIGRATION_LOCK = '32762622053868409';

/** Options of the registry's DataSource. Throws `RangeError` for a schema that cannot be used. */
export function registryOptions({
  schema = DEFAULT_REGISTRY_SCHEMA,
  connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS,
  answerTimeoutMs = MAX_ANSWER_TIMEOUT_MS,
  inTurns,
  extra,
  ...connection
}: RegistryOptions): PostgresDataSourceOptions {
  const driver = driverThatEndsSilence(Math.min(answerTimeoutMs, MAX_ANSWER_TIMEOUT_MS));
  return {
    ...connection,
    type: 'postgres',
    driver: inTurns ? { ...driver, Pool: poolInTurns(driver.Pool, inTurns) } : driver,
    schema: checkRegistrySchema(schema),
    entities: [TenantEntity, TenantDomainEntity, TenantAuditEntity],
    migrations: [
      CreateRegistry1763600000000,
      NotifyTenantChanges1763600100000,
      CreateAdminRecords1763600200000,
      CreateSparesAndPurges1763600300000,
      CreateFleetLedger1763600400000,
      CreateApiKeys1763600500000,
      TrackSchemaVersions1763600600000,
      CreateTenantSettings1763600800000,
      CreateUsage1763600900000,
      IdentifyRegistry1763601000000,
      KeepTemplatePrints1763601050000,
      CreateSharedMigrations1763601100000,
    ],
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
 * @throws TenancyUnavailableError, RegistryNotMigratedError
 */
export async function openRegistry(dataSource: DataSource, { migrate = true } = {}): Promise<void> {
  try {
    if (!dataSource.isInitialized) await dataSource.initialize();
    await (migrate ? migrateRegistry(dataSource) : assertRegistryMigrated(dataSource));
  } catch (error) {
    if (dataSource.isInitialized) await dataSource.destroy();
    throw isOutage(error) ? new TenancyUnavailableError('The tenant registry', { cause: error }) : error;
  }
}

/** Makes the registry's schema and runs its pending migrations; any number of instances may do so at once. */
export async function migrateRegistry(dataSource: DataSource): Promise<void> {
  const queryRunner = dataSource.createQueryRunner();
  try {
    // Under REPEATABLE READ, a possible default, who waited for the lock would still see the tables missing.
    await queryRunner.startTransaction('READ COMMITTED');
    await queryRunner.query('SELECT pg_advisory_xact_lock($1)', [REGISTRY_MIGRATION_LOCK]);
    await createSchema(queryRunner, registrySchema(dataSource));
    // It finds the transaction open, so it neither begins nor ends one.
    await new MigrationExecutor(dataSource, queryRunner).executePendingMigrations();
    await queryRunner.commitTransaction();
  } finally {
    await endTransaction(queryRunner);
  }
}

/** @throws RegistryNotMigratedError */
export async function assertRegistryMigrated(dataSource: DataSource): Promise<void> {
  const pending = await new MigrationExecutor(dataSource).getPendingMigrations();
  if (pending.length === 0) return;
  throw new RegistryNotMigratedError(
    registrySchema(dataSource),
    pending.map(({ name }) => name),
    await isThere(dataSource),
  );
}

/** Whether anything of it was made. */
async function isThere(dataSource: DataSource): Promise<boolean> {
  const table = `${quoteIdentifier(registrySchema(dataSource))}.${MIGRATIONS_TABLE}`;
  const [{ found }] = await dataSource.query<{ found: boolean }[]>(
    'SELECT pg_catalog.to_regclass($1) IS NOT NULL AS found',
    [table],
  );
  return found;
}

async function createSchema(queryRunner: QueryRunner, schema: string): Promise<void> {
  // CREATE SCHEMA IF NOT EXISTS asks for the right to create one even when it is there.
  if (await queryRunner.hasSchema(schema)) return;
  await queryRunner.query(`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(schema)}`);
}

/** Rolls back what was not committed. A connection that cannot even do that is gone, and so is its transaction. */
async function endTransaction(queryRunner: QueryRunner): Promise<void> {
  try {
    if (queryRunner.isTransactionActive) await queryRunner.rollbackTransaction();
  } catch {
    // What went wrong first is already on its way to the caller.
  } finally {
    await queryRunner.release();
  }
}
