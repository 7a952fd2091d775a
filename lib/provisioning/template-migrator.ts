import {
  Inject,
  Injectable,
  Logger,
  type OnModuleDestroy,
  type OnModuleInit,
  Optional,
} from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager, type QueryRunner } from 'typeorm';
import { backgroundClock, CLOCK, type Clock } from '../common/clock';
import { withHint } from '../common/database-hint';
import { isOutage } from '../common/outage';
import { quoteIdentifier } from '../common/sql';
import { TenancyError } from '../common/tenancy.errors';
import { startWith } from '../common/start.errors';
import { Servers } from '../connection/servers/servers';
import { ADMIN_DATA_SOURCE } from '../connection/typeorm/tenant-data-source';
import { TenantContext } from '../context/tenant-context';
import { DEFAULT_SERVER } from '../placement/place';
import { TenantStore } from '../registry/store/tenant.store';
import { runMigration } from './template/migration-run';
import { type NamedMigration, namedMigrations } from './template/named-migrations';
import { MigrationUnfinishedError } from './provisioning.errors';
import {
  SharedSchemaMissingError,
  TemplateBehindError,
  UnknownTableError,
} from './provisioning-start.errors';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from './provisioning.options';
import { SharedMigrator } from './template/shared-migrator';
import { Template } from './template/template';
import { describeUnknown, suspectOther } from './template/template-origin';
import { TemplateOutside } from './template/template-outside';
import { runInTemplate } from './template/template-step';
import { TenantRoles } from './roles/tenant-roles';

/** Between two tries to bring the template of a further server up to date, in milliseconds. */
const RETRY_MS = 30_000;

/** Builds the template from the application's own TypeORM migrations. Each is run there once. */
@Injectable()
export class TemplateMigrator implements OnModuleInit, OnModuleDestroy {
  readonly #logger = new Logger(TemplateMigrator.name);
  /** By server, beside the default one. */
  readonly #prepared = new Map<string, Promise<void>>();
  /** By server: cancels the next try. */
  readonly #retries = new Map<string, () => void>();
  #closing = false;

  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
    private readonly template: Template,
    private readonly shared: SharedMigrator,
    private readonly outside: TemplateOutside,
    private readonly store: TenantStore,
    private readonly roles: TenantRoles,
    private readonly servers: Servers,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
    @Optional() @Inject(CLOCK) private readonly clock: Clock = backgroundClock,
  ) {}

  /**
   * Migrates the template, and fails the start when it cannot be cloned. On a further server it only warns, and tries again:
   * what is wrong there is wrong for the tenants of that server alone.
   */
  async onModuleInit(): Promise<void> {
    if (this.options.leaveTemplate) return;
    await startWith(`The template "${this.template.schemaName}"`, () => this.#start(DEFAULT_SERVER));
    await Promise.all(this.servers.further.map((server) => this.#prepareLater(server)));
  }

  onModuleDestroy(): void {
    this.#closing = true;
    for (const cancel of this.#retries.values()) cancel();
  }

  /**
   * Resolves when the template of that server is up to date. Called again it does nothing.
   *
   * @throws what `migrate()` throws, and what `Servers.check()` throws when the server cannot be reached
   */
  prepare(server: string): Promise<void> {
    if (server === DEFAULT_SERVER) return Promise.resolve();
    let preparing = this.#prepared.get(server);
    if (!preparing) {
      preparing = this.context.runAsSystem(() => this.#start(server), server);
      this.#prepared.set(server, preparing);
      preparing.catch(() => this.#prepared.delete(server));
    }
    return preparing;
  }

  async #prepareLater(server: string): Promise<void> {
    try {
      await this.prepare(server);
    } catch (error) {
      if (this.#closing) return;
      this.#logger.warn(
        `No tenant can be made on the server "${server}" until this is mended: ${withHint(error)}`,
      );
      this.#retries.set(
        server,
        this.clock.after(RETRY_MS, () => void this.#prepareLater(server)),
      );
    }
  }

  async #start(server: string): Promise<void> {
    await this.shared.migrate();
    await this.#requireShared();
    await this.roles.requireSafety();
    const applied = await this.migrate().catch((error: unknown) => {
      // The start continues, because the operator needs the application to resolve the migration.
      if (!(error instanceof MigrationUnfinishedError)) throw error;
      this.#logger.error(`No tenant can be made: ${error.message}`);
      return [];
    });
    // A migration may have granted rights on the template to PUBLIC, and clones get the same grants.
    if (applied.length > 0) await this.roles.requireSafety();
    this.template.setReadyOn(server);
    await this.roles.prepareAll(server);
    await this.#warnOfUnknown();
    if (applied.length === 0) return;
    const at = server === DEFAULT_SERVER ? '' : ` on the server "${server}"`;
    this.#logger.log(`The template${at} has seen ${applied.join(', ')}.`);
    const [tenant] = await this.store.list({ limit: 1, server });
    if (tenant) {
      this.#logger.warn(
        'Tenants that were made before keep their structure until FleetMigrator.up() has brought these migrations to them.',
      );
    }
  }

  async #warnOfUnknown(): Promise<void> {
    const applied = await this.context.runAsSystem(() => this.template.appliedChecksums(this.dataSource));
    const migrations = namedMigrations(this.dataSource.migrations);
    const warning = describeUnknown({ migrations, applied }, await this.shared.survey(), this.options);
    if (warning !== undefined) this.#logger.warn(warning);
  }

  /**
   * Runs pending migrations and returns their names. Several instances may call it at once: one works, the others wait
   * and find nothing left. Each migration runs in a transaction of its own, which is committed when a trial clone
   * succeeds. So a migration can use a value that an earlier one added to an enum, and a start that failed is resumed
   * where it stopped.
   *
   * `always`: run them even if `migrateTemplate` is false, which is an option for the start.
   *
   * @throws TemplateMigrationError, TemplateBehindError, TemplateForeignError, SchemaNotCloneableError,
   * CloneNotFaithfulError, MigrationUnfinishedError, OwnSessionRequiredError
   */
  async migrate({ always = false } = {}): Promise<string[]> {
    const seen: string[] = [];
    for (;;) {
      const { names, outside } = await this.#migrateInTransaction(always);
      seen.push(...names);
      if (outside && (await this.outside.run(outside))) seen.push(outside.name);
      if (!outside && names.length === 0) return seen;
    }
  }

  /** Runs the next migration, or returns one with `transaction = false`; neither when nothing is pending. */
  #migrateInTransaction(always: boolean): Promise<{ names: string[]; outside?: NamedMigration }> {
    return this.context.runInSchema(this.template.schemaName, () =>
      this.dataSource.transaction('READ COMMITTED', async (manager) => {
        const queryRunner = manager.queryRunner as QueryRunner;
        await this.template.lockExclusive(queryRunner);
        await this.#createSchema(queryRunner);
        const migrations = namedMigrations(this.dataSource.migrations);
        const applied = await this.template.appliedMigrations(queryRunner);
        const pending = migrations.filter(({ name }) => !applied.includes(name));
        if (pending.length > 0 && !this.options.migrateTemplate && !always) {
          throw new TemplateBehindError(pending.map(({ name }) => name));
        }
        if (pending.length === 0) {
          await this.template.current(queryRunner);
          return { names: [] };
        }
        const known = new Set(migrations.map(({ name }) => name));
        const history = { applied, known, pending: pending.map(({ name }) => name) };
        const suspicion = await suspectOther(queryRunner, history, this.options);
        await createMetadataTable(this.dataSource, queryRunner);
        if (isOutside(pending[0])) return { names: [], outside: pending[0] };
        return { names: await this.#runUntilCloneable(pending, queryRunner, suspicion) };
      }),
    );
  }

  /**
   * Runs the first pending migration, and further ones while the result cannot be cloned, because a later migration may
   * remove the obstacle. Returns the names of those that ran.
   */
  async #runUntilCloneable(
    pending: readonly NamedMigration[],
    queryRunner: QueryRunner,
    suspicion: string | undefined,
  ): Promise<string[]> {
    const place = {
      schemaName: this.template.schemaName,
      sharedSchemas: this.options.sharedSchemas,
      suspicion,
    };
    const names: string[] = [];
    let obstacle: unknown;
    for (const each of pending) {
      if (isOutside(each)) break;
      await runInTemplate(queryRunner, each, place).catch((error: unknown) => {
        throw obstacle ?? error;
      });
      await this.template.recordMigration(queryRunner, each);
      names.push(each.name);
      obstacle = await this.#findObstacle(queryRunner, each === pending.at(-1));
      if (obstacle === undefined) return names;
    }
    throw obstacle;
  }

  /** The error for which the template cannot be cloned in its current state. */
  async #findObstacle(queryRunner: QueryRunner, isLast: boolean): Promise<unknown> {
    try {
      await this.template.current(queryRunner, { isNew: true });
      return undefined;
    } catch (error) {
      // A later migration may still make the table in `templateData`.
      if (error instanceof UnknownTableError && !isLast) return undefined;
      if (error instanceof TenancyError && !isOutage(error)) return error;
      throw error;
    }
  }

  /**
   * Reverts the last migration of the template, unless `mayRevert` returns false, which is called while no tenant can
   * be cloned. Returns whether it was reverted.
   */
  revert(
    migration: NamedMigration,
    mayRevert: (transaction: EntityManager) => Promise<boolean>,
  ): Promise<boolean> {
    const { schemaName } = this.template;
    return this.context.runInSchema(schemaName, () =>
      isOutside(migration)
        ? this.outside.revert(migration, mayRevert)
        : this.#revertInTransaction(migration, mayRevert),
    );
  }

  #revertInTransaction(
    named: NamedMigration,
    mayRevert: (transaction: EntityManager) => Promise<boolean>,
  ): Promise<boolean> {
    return this.dataSource.transaction('READ COMMITTED', async (manager) => {
      const queryRunner = manager.queryRunner as QueryRunner;
      await this.template.lockExclusive(queryRunner);
      if (!(await mayRevert(manager))) return false;
      await runMigration(named, 'down', queryRunner);
      await this.template.forgetMigration(queryRunner, named.name);
      await this.template.current(queryRunner, { isNew: true });
      return true;
    });
  }

  /** PostgreSQL skips a missing schema on the path silently, so the start checks that each exists. */
  async #requireShared(): Promise<void> {
    const missing = await this.context.runAsSystem(() =>
      this.dataSource.query<{ name: string }[]>(
        `SELECT name FROM pg_catalog.unnest($1::pg_catalog.text[]) AS name
         WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = name)`,
        [this.options.sharedSchemas],
      ),
    );
    if (missing.length > 0) throw new SharedSchemaMissingError(missing.map(({ name }) => name));
  }

  async #createSchema(queryRunner: QueryRunner): Promise<void> {
    // CREATE SCHEMA IF NOT EXISTS requires the right to create a schema even when it exists.
    if (await queryRunner.hasSchema(this.template.schemaName)) return;
    await queryRunner.query(`CREATE SCHEMA ${quoteIdentifier(this.template.schemaName)}`);
  }
}

function isOutside({ migration }: NamedMigration): boolean {
  return migration.transaction === false;
}

/** Creates `typeorm_metadata`, to which migrations of views and generated columns write, as `runMigrations()` does. */
async function createMetadataTable(dataSource: DataSource, queryRunner: QueryRunner): Promise<void> {
  const builder = dataSource.driver.createSchemaBuilder() as unknown as {
    createMetadataTableIfNecessary(queryRunner: QueryRunner): Promise<void>;
  };
  await builder.createMetadataTableIfNecessary(queryRunner);
}
