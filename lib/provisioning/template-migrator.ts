import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager, type QueryRunner } from 'typeorm';
import { quoteIdentifier, type SqlExecutor } from '../common/sql';
import { ADMIN_DATA_SOURCE } from '../connection/tenant-data-source';
import { TenantContext } from '../context/tenant-context';
import { tryBlueprint } from '../schema/trial';
import { generateSchemaName } from '../tenant/schema-name';
import { TenantStore } from '../tenant/tenant.store';
import { type NamedMigration, namedMigrations } from './named-migrations';
import { TemplateBehindError, TemplateMigrationError } from './provisioning.errors';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from './provisioning.options';
import { Template } from './template';

/** Builds the template from the application's own TypeORM migrations, each of which it sees once. */
@Injectable()
export class TemplateMigrator implements OnModuleInit {
  readonly #logger = new Logger(TemplateMigrator.name);

  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
    private readonly template: Template,
    private readonly store: TenantStore,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /** Brings the template up to date, and fails the start when it cannot be cloned. */
  async onModuleInit(): Promise<void> {
    if (this.options.leaveTemplate) return;
    const applied = await this.migrate();
    if (applied.length === 0) return;
    this.#logger.log(`The template has seen ${applied.join(', ')}.`);
    const [tenant] = await this.store.list({ limit: 1 });
    if (tenant) {
      this.#logger.warn(
        'Tenants that were made before keep their structure until FleetMigrator.up() has brought these migrations to them.',
      );
    }
  }

  /**
   * Names of the migrations run now. Any number of instances may call it at once: one works, the others wait and find
   * nothing left. All in one transaction, so that no clone mixes two versions, and none of it is kept unless a trial clone
   * succeeds.
   *
   * `always`: whatever `migrateTemplate` says, which is about the start.
   *
   * @throws TemplateMigrationError, TemplateBehindError, SchemaNotCloneableError, CloneNotFaithfulError
   */
  migrate({ always = false } = {}): Promise<string[]> {
    return this.context.runInSchema(this.template.schemaName, () =>
      this.dataSource.transaction('READ COMMITTED', async (manager) => {
        const queryRunner = manager.queryRunner as QueryRunner;
        await this.template.lockExclusive(queryRunner);
        await this.#createSchema(queryRunner);
        const pending = await this.#pending(queryRunner);
        if (pending.length > 0 && !this.options.migrateTemplate && !always) {
          throw new TemplateBehindError(pending.map(({ name }) => name));
        }
        if (pending.length > 0) await createMetadataTable(this.dataSource, queryRunner);
        for (const each of pending) await this.#run(each, queryRunner);
        const { blueprint } = await this.template.current(queryRunner);
        if (pending.length > 0) await tryBlueprint(queryRunner, blueprint, generateSchemaName());
        return pending.map(({ name }) => name);
      }),
    );
  }

  /**
   * Takes back the migration that the template has seen last, unless `mayRevert` says no, which is asked while nobody
   * can be cloned. Whether it did.
   */
  revert(
    { name, migration }: NamedMigration,
    mayRevert: (transaction: EntityManager) => Promise<boolean>,
  ): Promise<boolean> {
    return this.context.runInSchema(this.template.schemaName, () =>
      this.dataSource.transaction('READ COMMITTED', async (manager) => {
        const queryRunner = manager.queryRunner as QueryRunner;
        await this.template.lockExclusive(queryRunner);
        if (!(await mayRevert(manager))) return false;
        await migration.down(queryRunner);
        await this.template.forgetMigration(queryRunner, name);
        const { blueprint } = await this.template.current(queryRunner);
        await tryBlueprint(queryRunner, blueprint, generateSchemaName());
        return true;
      }),
    );
  }

  async #createSchema(queryRunner: QueryRunner): Promise<void> {
    // CREATE SCHEMA IF NOT EXISTS asks for the right to create one even when it is there.
    if (await queryRunner.hasSchema(this.template.schemaName)) return;
    await queryRunner.query(`CREATE SCHEMA ${quoteIdentifier(this.template.schemaName)}`);
  }

  async #pending(queryRunner: QueryRunner): Promise<NamedMigration[]> {
    const applied = new Set(await this.template.appliedMigrations(queryRunner));
    return namedMigrations(this.dataSource.migrations).filter(({ name }) => !applied.has(name));
  }

  async #run(named: NamedMigration, queryRunner: QueryRunner): Promise<void> {
    const { name, migration } = named;
    if (migration.transaction === false) {
      throw new TemplateMigrationError(
        name,
        'it says transaction = false, but the template is built in one transaction. The template holds no rows, so nothing is ' +
          'gained by CREATE INDEX CONCURRENTLY and its kin here: leave CONCURRENTLY out.',
      );
    }
    const transaction = await transactionId(queryRunner);
    try {
      await migration.up(queryRunner);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new TemplateMigrationError(name, `${why}. Nothing was kept; mend it and start again.`, {
        cause: error,
      });
    }
    if (!queryRunner.isTransactionActive || (await transactionId(queryRunner)) !== transaction) {
      throw new TemplateMigrationError(
        name,
        'it ended the transaction that it was given. Leave COMMIT and ROLLBACK to the migrator. What it committed is in the ' +
          `schema "${this.template.schemaName}" now: undo it there before you start again.`,
      );
    }
    await this.template.recordMigration(queryRunner, named);
  }
}

async function transactionId(executor: SqlExecutor): Promise<string> {
  const [row] = (await executor.query('SELECT pg_catalog.txid_current() AS id')) as { id: string }[];
  return row.id;
}

/** `typeorm_metadata`, which migrations of views and generated columns write to, as `runMigrations()` makes it. */
async function createMetadataTable(dataSource: DataSource, queryRunner: QueryRunner): Promise<void> {
  const builder = dataSource.driver.createSchemaBuilder() as unknown as {
    createMetadataTableIfNecessary(queryRunner: QueryRunner): Promise<void>;
  };
  await builder.createMetadataTableIfNecessary(queryRunner);
}
