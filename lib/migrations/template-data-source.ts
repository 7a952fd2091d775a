import { DataSource, type DataSourceOptions } from 'typeorm';
import { quoteIdentifier } from '../common/sql';
import { leaveActiveRecords } from '../connection/typeorm/active-records';
import { checkEntitySchemas } from '../connection/typeorm/entity-schemas';
import { namedMigrations } from '../provisioning/template/named-migrations';
import { CommandNotForTemplateError } from './migrations.errors';
import { type Statement, unqualified } from './unqualified-sql';

export interface TemplatePlace {
  /** The template, or the shared schema that is used instead. */
  readonly schemaName: string;
  readonly isShared: boolean;
  readonly registrySchema: string;
  readonly sharedSchemas: readonly string[];
}

/** The statements that TypeORM's schema builder would run. */
interface SqlInMemory {
  upQueries: Statement[];
  downQueries: Statement[];
}

/**
 * The template for TypeORM's own command line: `migration:generate` compares it with entities and writes names without
 * a schema, `migration:create` works as usual, and `migration:show` lists the template's migrations.
 *
 * Its sessions must have only the template on their search path. It is for development and does not serve requests:
 * active-record entities keep their data source, if they have one.
 */
export class TemplateDataSource extends DataSource {
  constructor(
    options: DataSourceOptions,
    private readonly place: TemplatePlace,
  ) {
    super(options);
    leaveActiveRecords(this);
  }

  override async initialize(): Promise<this> {
    await super.initialize();
    const { schemaName } = this.place;
    // TypeORM has read the current schema, which is null if it does not exist yet.
    Object.assign(this.driver, { schema: schemaName, searchSchema: schemaName });
    try {
      checkEntitySchemas(this, this.place.sharedSchemas);
    } catch (error) {
      await this.destroy();
      throw error;
    }
    this.#leaveOthers();
    this.#writeUnqualified();
    return this;
  }

  /** Whether a migration is pending. Lists each migration, as TypeORM does. */
  override async showMigrations(): Promise<boolean> {
    const seen = new Set(await this.#seen());
    const named = namedMigrations(this.migrations);
    for (const { name } of named) this.logger.logSchemaBuild(`[${seen.has(name) ? 'X' : ' '}] ${name}`);
    return named.some(({ name }) => !seen.has(name));
  }

  /** @throws CommandNotForTemplateError always */
  override runMigrations(): Promise<never> {
    return Promise.reject(
      new CommandNotForTemplateError('run its migrations', 'run: npx tenancy migrate up'),
    );
  }

  /** @throws CommandNotForTemplateError always */
  override undoLastMigration(): Promise<never> {
    return Promise.reject(
      new CommandNotForTemplateError(
        'revert one',
        'run: npx tenancy migrate down, or write a migration that undoes it',
      ),
    );
  }

  /** @throws CommandNotForTemplateError always */
  override synchronize(): Promise<never> {
    return Promise.reject(new CommandNotForTemplateError('synchronize it', 'use migration:generate'));
  }

  /**
   * Tables that all tenants share are not migrated with the template. A foreign key to one belongs to the tenant's
   * table.
   */
  #leaveOthers(): void {
    for (const metadata of this.entityMetadatas) {
      const schema = metadata.tablePath.slice(0, Math.max(0, metadata.tablePath.lastIndexOf('.')));
      const isOwn = this.place.isShared
        ? schema === this.place.schemaName
        : !this.place.sharedSchemas.includes(schema);
      if (!isOwn) metadata.synchronize = false;
    }
  }

  #writeUnqualified(): void {
    const { driver, place } = this;
    const createSchemaBuilder = driver.createSchemaBuilder.bind(driver);
    driver.createSchemaBuilder = () => {
      const builder = createSchemaBuilder();
      const log = builder.log.bind(builder);
      builder.log = async () => {
        // Done here, because a refused command must change nothing.
        await this.query(`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(place.schemaName)}`);
        const sql = (await log()) as unknown as SqlInMemory;
        const bare = (each: Statement) => unqualified(each, place.schemaName, driver.database ?? '');
        sql.upQueries = sql.upQueries.map(bare);
        sql.downQueries = sql.downQueries.map(bare);
        return sql as unknown as Awaited<ReturnType<typeof log>>;
      };
      return builder;
    };
  }

  async #seen(): Promise<string[]> {
    const { registrySchema, isShared, schemaName } = this.place;
    const ledger = `${quoteIdentifier(registrySchema)}.${isShared ? 'shared' : 'template'}_migrations`;
    const [{ table }] = await this.query<{ table: string | null }[]>('SELECT to_regclass($1) AS table', [
      ledger,
    ]);
    if (table === null) return [];
    const rows = await this.query<{ name: string }[]>(
      `SELECT name FROM ${ledger} ${isShared ? 'WHERE schema_name = $1' : ''}`,
      isShared ? [schemaName] : [],
    );
    return rows.map(({ name }) => name);
  }
}
