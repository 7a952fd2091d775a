import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type QueryRunner } from 'typeorm';
import { ConnectionMetadataBuilder } from 'typeorm/connection/ConnectionMetadataBuilder.js';
import { quoteIdentifier, type SqlExecutor } from '../common/sql';
import { ADMIN_DATA_SOURCE } from '../connection/tenant-data-source';
import { TenantContext } from '../context/tenant-context';
import { checksumOf } from './migration-checksum';
import { MigrationProblem, readPlace, requireNoStrays, requirePlace, runMigration } from './migration-run';
import { type NamedMigration, namedMigrations } from './named-migrations';
import { findStrays, readOutside } from './outside-objects';
import { SharedMigrationError, TemplateBehindError } from './provisioning.errors';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from './provisioning.options';
import { Template } from './template';

/** A migration of a shared schema, and whether it has run. */
export interface SharedMigrationReach {
  readonly schema: string;
  readonly name: string;
  readonly done: boolean;
}

/** Runs the migrations of shared schemas, each once in a database, under the template's lock. */
@Injectable()
export class SharedMigrator {
  readonly #ledger: string;

  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
    private readonly template: Template,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {
    this.#ledger = `${quoteIdentifier(options.registrySchema)}.shared_migrations`;
  }

  /**
   * What ran now, as `schema: name`. Each migration is one transaction, with the shared schema first on its path.
   *
   * @throws SharedMigrationError, TemplateBehindError
   */
  async migrate({ always = false } = {}): Promise<string[]> {
    const seen: string[] = [];
    for (const schemaName of Object.keys(this.options.sharedMigrations)) {
      const migrations = await this.#load(schemaName);
      for (;;) {
        const name = await this.#runNext(schemaName, migrations, always);
        if (name === undefined) break;
        seen.push(`${schemaName}: ${name}`);
      }
    }
    return seen;
  }

  /** Every migration of shared schemas. */
  async status(): Promise<SharedMigrationReach[]> {
    const schemas = Object.keys(this.options.sharedMigrations);
    if (schemas.length === 0) return [];
    return this.context.runAsSystem(async () => {
      const reach: SharedMigrationReach[] = [];
      for (const schema of schemas) {
        const applied = await this.#applied(this.dataSource, schema);
        const all = await this.#load(schema);
        reach.push(...all.map(({ name }) => ({ schema, name, done: applied.has(name) })));
      }
      return reach;
    });
  }

  #runNext(
    schemaName: string,
    migrations: readonly NamedMigration[],
    always: boolean,
  ): Promise<string | undefined> {
    return this.context.runInSchema(schemaName, () =>
      this.dataSource.transaction('READ COMMITTED', async (manager) => {
        const queryRunner = manager.queryRunner as QueryRunner;
        await this.template.lockExclusive(queryRunner);
        const applied = await this.#applied(queryRunner, schemaName);
        const pending = migrations.filter(({ name }) => !applied.has(name));
        if (pending.length === 0) return undefined;
        if (!this.options.migrateTemplate && !always) {
          throw new TemplateBehindError(pending.map(({ name }) => `${schemaName}: ${name}`));
        }
        if (!(await queryRunner.hasSchema(schemaName))) {
          await queryRunner.query(`CREATE SCHEMA ${quoteIdentifier(schemaName)}`);
        }
        await this.#run(schemaName, pending[0], queryRunner);
        return pending[0].name;
      }),
    );
  }

  async #run(schemaName: string, named: NamedMigration, queryRunner: QueryRunner): Promise<void> {
    const { name, timestamp, migration } = named;
    try {
      if (migration.transaction === false) throw new MigrationProblem(NOT_OUTSIDE);
      const place = await readPlace(queryRunner);
      const outside = await readOutside(queryRunner, schemaName);
      const heard = await runMigration(named, 'up', queryRunner);
      requirePlace(place, await readPlace(queryRunner), heard);
      requireNoStrays(await findStrays(queryRunner, schemaName, outside), schemaName, heard);
    } catch (error) {
      if (error instanceof MigrationProblem) throw new SharedMigrationError(schemaName, name, error);
      throw error;
    }
    await queryRunner.query(
      `INSERT INTO ${this.#ledger} (schema_name, name, timestamp, checksum) VALUES ($1, $2, $3, $4)`,
      [schemaName, name, timestamp, checksumOf(migration)],
    );
  }

  async #applied(executor: SqlExecutor, schemaName: string): Promise<Set<string>> {
    const rows = (await executor.query(`SELECT name FROM ${this.#ledger} WHERE schema_name = $1`, [
      schemaName,
    ])) as { name: string }[];
    return new Set(rows.map(({ name }) => name));
  }

  async #load(schemaName: string): Promise<NamedMigration[]> {
    const given = Object.values(this.options.sharedMigrations[schemaName]);
    return namedMigrations(await new ConnectionMetadataBuilder(this.dataSource).buildMigrations(given));
  }
}

const NOT_OUTSIDE =
  'it says transaction = false, and a shared schema’s migrations run in transactions: run it by hand, and leave it out.';
