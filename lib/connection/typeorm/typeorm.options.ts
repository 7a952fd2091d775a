import type { DataSourceOptions } from 'typeorm';
import { anything, callback, flag, group, kind, milliseconds, oneOf, text } from '../../common/options/kinds';
import { Option, RefusedOptions } from '../../common/options/option.decorator';

type PostgresOptions = Extract<DataSourceOptions, { type: 'postgres' }>;

/** TypeORM options that tenancy cannot live with, or that have a place of their own, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  schema: 'would be written in front of every table, so all tenants would share one',
  synchronize: 'would change one schema behind the back of all others: write a migration',
  migrationsRun: 'would run migrations outside the template: they are run by migrateTemplate',
  dropSchema: 'would drop what TypeORM takes for the current schema',
  cache:
    'keeps rows by the text of the statement, which is the same for every tenant: one would get the rows of another',
  driver: 'is how tenants get their connections',
  type: 'is always postgres',
  name: 'is always that of TENANT_DATA_SOURCE',
  nativeDriver: 'cannot carry a tenant with a statement',
  installExtensions:
    'would install extensions at start: run CREATE EXTENSION … SCHEMA in one of the sharedSchemas once',
  extensions: 'would be installed by nothing: run CREATE EXTENSION … SCHEMA in one of the sharedSchemas once',
  uuidExtension: 'is always pgcrypto, whose gen_random_uuid() needs no extension',
  connectTimeoutMS: 'is database.connectTimeoutMs here',
  migrationsTableName:
    'would name a table that nothing reads: what ran is kept in the registry, for the template and for each tenant',
  metadataTableName: 'is always typeorm_metadata, whose rows each tenant gets with its tables',
  ...Object.fromEntries(
    [
      'url',
      'host',
      'port',
      'username',
      'password',
      'database',
      'ssl',
      'applicationName',
      'extra',
      'poolSize',
    ].map((name) => [name, `is database.${name} here`]),
  ),
  ...Object.fromEntries(
    ['entities', 'migrations', 'subscribers'].map((name) => [name, `is an option of its own: ${name}`]),
  ),
};

/** What reaches TypeORM besides. All else is refused: an option of TypeORM may break what keeps tenants apart. */
@RefusedOptions(REFUSED)
export class CheckedTypeOrmOptions {
  /** What TypeORM logs: `true`, `'all'`, or kinds such as `['error']`. */
  @Option(anything<PostgresOptions['logging']>())
  readonly logging?: PostgresOptions['logging'];

  /** Where it logs to. */
  @Option(anything<PostgresOptions['logger']>())
  readonly logger?: PostgresOptions['logger'];

  /** A statement that takes longer is logged, in milliseconds from 0. */
  @Option(milliseconds(0))
  readonly maxQueryExecutionTime?: number;

  /** How names of tables and columns are made. */
  @Option(anything<PostgresOptions['namingStrategy']>())
  readonly namingStrategy?: PostgresOptions['namingStrategy'];

  /** What the names of all tables begin with. */
  @Option(text('give a text', () => true))
  readonly entityPrefix?: string;

  /** Entities are made without their constructor. */
  @Option(flag())
  readonly entitySkipConstructor?: boolean;

  /** The isolation level of transactions that name none. */
  @Option(anything<PostgresOptions['isolationLevel']>())
  readonly isolationLevel?: PostgresOptions['isolationLevel'];

  /** `where` is put in parentheses. */
  @Option(flag())
  readonly isolateWhereStatements?: boolean;

  /** What `null` and `undefined` in `where` mean. */
  @Option(anything<PostgresOptions['invalidWhereValuesBehavior']>())
  readonly invalidWhereValuesBehavior?: PostgresOptions['invalidWhereValuesBehavior'];

  /** How relations are loaded: by one statement, or by several. */
  @Option(oneOf<PostgresOptions['relationLoadStrategy']>('join', 'query'))
  readonly relationLoadStrategy?: PostgresOptions['relationLoadStrategy'];

  /** Each entity has a property of this name that holds the name of its class. */
  @Option(text('give a text', () => true))
  readonly typename?: string;

  /** `bigint` comes as a number. */
  @Option(flag())
  readonly parseInt8?: boolean;

  /** Dates are in UTC. */
  @Option(flag())
  readonly useUTC?: boolean;

  /**
   * Servers to write to and to read from. They decide on the connection in place of `database`.
   *
   * @see docs/connections.md#replicas
   */
  @Option(anything<PostgresOptions['replication']>())
  readonly replication?: PostgresOptions['replication'];

  /** Called with errors of connections that nobody holds. */
  @Option(callback<PostgresOptions['poolErrorHandler']>('give a function'))
  readonly poolErrorHandler?: PostgresOptions['poolErrorHandler'];

  /** Notices of PostgreSQL are logged. */
  @Option(flag())
  readonly logNotifications?: boolean;

  /** `each`: every migration runs in a transaction of its own. */
  @Option(
    kind<'each'>(
      "leave it out, or give 'each'. Each migration runs in a transaction of its own, so that a later one " +
        'can use the values that it adds to an enum; one that must run outside of a transaction says transaction = false',
      (value) => value === 'each',
    ),
  )
  readonly migrationsTransactionMode?: 'each';
}

/** The options that TypeORM is given. */
export class CheckedFurtherOptions {
  /** Further options of TypeORM: logging, naming strategy, replication and so on. Default none. */
  @Option(group(CheckedTypeOrmOptions))
  readonly typeorm?: CheckedTypeOrmOptions;
}

/** What TypeORM may be told besides. */
export type TenancyTypeOrmOptions = CheckedTypeOrmOptions;
