import { type DataSource, type Migration, MigrationExecutor, type QueryRunner } from 'typeorm';
import { isOutage } from '../common/outage';
import { quoteIdentifier } from '../common/sql';
import { isKnownMigration, type RegistryMigration } from './registry-migrations';
import { registrySchema } from './registry-schema';
import { RegistryNewerError, RegistryNotMigratedError, RegistryRightsError } from './registry-start.errors';

export const MIGRATIONS_TABLE = 'registry_migrations';

/**
 * The key of the advisory lock under which the registry is migrated, to be found in `pg_locks`: `tenancy` in ASCII,
 * 0x74656e616e6379. It ends with the transaction, so it is safe behind PgBouncer.
 */
export const REGISTRY_MIGRATION_LOCK = '32762622053868409';

/** SQLSTATE insufficient_privilege. */
const NO_RIGHT = '42501';

/** Reads the ledger with today's names: a migration that was split among modules counts as each of its parts. */
class RegistryMigrator extends MigrationExecutor {
  protected override async loadExecutedMigrations(queryRunner: QueryRunner): Promise<Migration[]> {
    const executed = await super.loadExecutedMigrations(queryRunner);
    const names = new Set(executed.map(({ name }) => name));
    const parts = this.getMigrations().filter(({ instance }) => {
      const { partOf } = instance!.constructor as RegistryMigration;
      return partOf !== undefined && names.has(partOf);
    });
    return [...executed, ...parts];
  }
}

/**
 * Makes the registry's schema and runs its pending migrations; any number of instances may do so at once, each with the
 * modules that it has. `onMade` is called in the same transaction when there were no tables before.
 *
 * @throws RegistryRightsError, RegistryNewerError
 */
export async function migrateRegistry(
  dataSource: DataSource,
  onMade?: (transaction: QueryRunner) => Promise<void>,
): Promise<void> {
  const queryRunner = dataSource.createQueryRunner();
  try {
    // Under REPEATABLE READ, a possible default, an instance that waited for the lock would still see the tables missing.
    await queryRunner.startTransaction('READ COMMITTED');
    await queryRunner.query('SELECT pg_advisory_xact_lock($1)', [REGISTRY_MIGRATION_LOCK]);
    await createSchema(queryRunner, registrySchema(dataSource));
    const migrator = new RegistryMigrator(dataSource, queryRunner);
    const isNew = (await migrator.getExecutedMigrations()).length === 0;
    await runPending(migrator, dataSource);
    if (isNew) await onMade?.(queryRunner);
    await queryRunner.commitTransaction();
  } finally {
    await endTransaction(queryRunner);
  }
}

/** It finds the transaction open, so it neither begins nor ends one. */
async function runPending(migrator: MigrationExecutor, dataSource: DataSource): Promise<void> {
  const pending = await migrator.getPendingMigrations();
  if (pending.length === 0) return;
  // Before one fails: PostgreSQL answers nothing after that.
  const unknown = await unknownTo(migrator);
  try {
    await migrator.executePendingMigrations();
  } catch (error) {
    if ((error as { code?: unknown }).code === NO_RIGHT)
      throw new RegistryRightsError(registrySchema(dataSource), namesOf(pending), error as Error);
    if (unknown.length === 0 || isOutage(error)) throw error;
    throw new RegistryNewerError(registrySchema(dataSource), unknown, namesOf(pending), error as Error);
  }
}

/** What the ledger has seen of a newer version. It may have brought what this one would make, by another name. */
async function unknownTo(migrator: MigrationExecutor): Promise<string[]> {
  return namesOf(await migrator.getExecutedMigrations()).filter((name) => !isKnownMigration(name));
}

/** @throws RegistryNotMigratedError */
export async function assertRegistryMigrated(dataSource: DataSource): Promise<void> {
  const migrator = new RegistryMigrator(dataSource);
  const pending = await migrator.getPendingMigrations();
  if (pending.length === 0) return;
  throw new RegistryNotMigratedError(
    registrySchema(dataSource),
    namesOf(pending),
    await isThere(dataSource),
    await unknownTo(migrator),
  );
}

const namesOf = (migrations: readonly Migration[]) => migrations.map(({ name }) => name);

/** Whether any table of the registry exists. */
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

/** Rolls back. If the connection is lost, PostgreSQL has rolled back already. */
async function endTransaction(queryRunner: QueryRunner): Promise<void> {
  try {
    if (queryRunner.isTransactionActive) await queryRunner.rollbackTransaction();
  } catch {
    // The first error is thrown to the caller, so this one is ignored.
  } finally {
    await queryRunner.release();
  }
}
