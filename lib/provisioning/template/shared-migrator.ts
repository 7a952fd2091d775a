import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type QueryRunner } from 'typeorm';
import { ConnectionMetadataBuilder } from 'typeorm/connection/ConnectionMetadataBuilder.js';
import { quoteIdentifier } from '../../common/sql';
import { ADMIN_DATA_SOURCE } from '../../connection/typeorm/tenant-data-source';
import { TenantContext } from '../../context/tenant-context';
import {
  HeardStatements,
  MigrationProblem,
  readPlace,
  requireNoStrays,
  requirePlace,
  runMigration,
} from './migration-run';
import { type NamedMigration, namedMigrations } from './named-migrations';
import { findStrays, readOutside } from './outside-objects';
import { SharedMigrationError, TemplateBehindError } from '../provisioning-start.errors';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning.options';
import { SharedLedger } from './shared-ledger';
import { Template } from './template';

/** The migrations of one shared schema, in the code and in the ledger. */
export interface SharedSurvey {
  readonly schema: string;
  readonly migrations: readonly NamedMigration[];
  /** For those that have run, the checksum at that time, if one was stored. */
  readonly applied: ReadonlyMap<string, string | null>;
}

export function pendingOf({ migrations, applied }: SharedSurvey): NamedMigration[] {
  return migrations.filter(({ name }) => !applied.has(name));
}

/** Names of migrations that have run and that the code does not have: they were removed, or are of a newer version. */
export function unknownOf({ migrations, applied }: Omit<SharedSurvey, 'schema'>): string[] {
  const known = new Set(migrations.map(({ name }) => name));
  return [...applied.keys()].filter((name) => !known.has(name));
}

/** Runs the migrations of shared schemas, each once in a database, under the template's lock. */
@Injectable()
export class SharedMigrator {
  readonly #ledger: SharedLedger;

  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
    private readonly template: Template,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {
    this.#ledger = new SharedLedger(options.registrySchema);
  }

  /**
   * Runs pending migrations and returns them as `schema: name`. Each is one transaction, with the shared schema first
   * on its search path.
   *
   * @throws SharedMigrationError when a migration fails
   * @throws TemplateBehindError when some are pending and must not be run
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

  /** The migrations of every schema that has any. */
  survey(): Promise<SharedSurvey[]> {
    return this.context.runAsSystem(async () => {
      const found: SharedSurvey[] = [];
      for (const schema of Object.keys(this.options.sharedMigrations)) {
        const applied = await this.#ledger.applied(this.dataSource, schema);
        found.push({ schema, migrations: await this.#load(schema), applied });
      }
      return found;
    });
  }

  /**
   * Takes back the migration that a shared schema has seen last, in one transaction, and gives its name; `undefined`: it
   * has seen none that the code knows.
   *
   * @throws SharedMigrationError
   */
  async revert(schemaName: string): Promise<string | undefined> {
    if (!Object.hasOwn(this.options.sharedMigrations, schemaName)) return undefined;
    const migrations = await this.#load(schemaName);
    return this.#inTransaction(schemaName, async (queryRunner) => {
      const last = [...(await this.#ledger.applied(queryRunner, schemaName)).keys()].at(-1);
      const named = migrations.find(({ name }) => name === last);
      if (named === undefined) return undefined;
      await this.#run(schemaName, named, 'down', queryRunner);
      await this.#ledger.forget(queryRunner, schemaName, named.name);
      return named.name;
    });
  }

  /** See `FleetMigrator.acknowledge`; `undefined`: no shared schema has a migration of that name. */
  async acknowledge(migration: string): Promise<boolean | undefined> {
    const found = (await this.survey()).flatMap(({ schema, migrations }) =>
      migrations.filter(({ name }) => name === migration).map((named) => ({ schema, named })),
    );
    if (found.length === 0) return undefined;
    return this.context.runAsSystem(async () => {
      let changed = false;
      for (const { schema, named } of found) {
        changed = (await this.#ledger.acknowledge(this.dataSource, schema, named)) || changed;
      }
      return changed;
    });
  }

  #runNext(
    schemaName: string,
    migrations: readonly NamedMigration[],
    always: boolean,
  ): Promise<string | undefined> {
    return this.#inTransaction(schemaName, async (queryRunner) => {
      const applied = await this.#ledger.applied(queryRunner, schemaName);
      const pending = pendingOf({ schema: schemaName, migrations, applied });
      if (pending.length === 0) return undefined;
      if (!this.options.migrateTemplate && !always) {
        throw new TemplateBehindError(pending.map(({ name }) => `${schemaName}: ${name}`));
      }
      if (!(await queryRunner.hasSchema(schemaName))) {
        await queryRunner.query(`CREATE SCHEMA ${quoteIdentifier(schemaName)}`);
      }
      await this.#run(schemaName, pending[0], 'up', queryRunner);
      await this.#ledger.record(queryRunner, schemaName, pending[0]);
      return pending[0].name;
    });
  }

  /** With the shared schema first on the path, and the template's lock. */
  #inTransaction<T>(schemaName: string, work: (queryRunner: QueryRunner) => Promise<T>): Promise<T> {
    return this.context.runInSchema(schemaName, () =>
      this.dataSource.transaction('READ COMMITTED', async (manager) => {
        const queryRunner = manager.queryRunner as QueryRunner;
        await this.template.lockExclusive(queryRunner);
        return work(queryRunner);
      }),
    );
  }

  async #run(
    schemaName: string,
    named: NamedMigration,
    direction: 'up' | 'down',
    queryRunner: QueryRunner,
  ): Promise<void> {
    try {
      await runInShared(schemaName, named, direction, queryRunner);
    } catch (error) {
      if (error instanceof MigrationProblem) throw new SharedMigrationError(schemaName, named.name, error);
      throw error;
    }
  }

  async #load(schemaName: string): Promise<NamedMigration[]> {
    const given = Object.values(this.options.sharedMigrations[schemaName]);
    return namedMigrations(await new ConnectionMetadataBuilder(this.dataSource).buildMigrations(given));
  }
}

/**
 * Runs a migration of a shared schema in the caller's transaction, and sees that it has stayed there.
 *
 * @throws MigrationProblem
 */
export async function runInShared(
  schemaName: string,
  named: NamedMigration,
  direction: 'up' | 'down',
  queryRunner: QueryRunner,
  heard = new HeardStatements(),
): Promise<void> {
  if (named.migration.transaction === false) throw new MigrationProblem(NOT_OUTSIDE);
  await requireSchema(schemaName, queryRunner);
  const place = await readPlace(queryRunner);
  const outside = await readOutside(queryRunner, schemaName);
  await runMigration(named, direction, queryRunner, heard);
  requirePlace(place, await readPlace(queryRunner), heard);
  requireNoStrays(await findStrays(queryRunner, schemaName, outside), schemaName, heard);
}

/** PostgreSQL passes over it when it is not there: what the migration drops would be another shared schema's. */
async function requireSchema(schemaName: string, queryRunner: QueryRunner): Promise<void> {
  const [{ first }] = (await queryRunner.query('SELECT pg_catalog.current_schema() AS first')) as {
    first: string | null;
  }[];
  if (first !== schemaName) throw new MigrationProblem(NOT_THERE);
}

const NOT_THERE =
  'the schema is not in the database, or this role may not use it, and the next one on the path would be changed in its place.';

const NOT_OUTSIDE =
  'it says transaction = false, and a shared schema’s migrations run in transactions: run it by hand, and leave it out.';
