import type { DataSourceOptions } from 'typeorm';
import {
  flag,
  groupOrFunction,
  integer,
  isObject,
  postgresUrl,
  secret,
  text,
  waiting,
} from '../common/options/kinds';
import { type Given, Option, OptionsRule } from '../common/options/option.decorator';
import { TenantTimeouts, type TenantTimeoutsOption } from './pool/tenant-timeouts';

export type PostgresOptions = Extract<DataSourceOptions, { type: 'postgres' }>;

const URL_REMEDY = 'give a postgres:// URL, or database.host, or set TENANCY_DATABASE_URL or DATABASE_URL';

/** How to reach PostgreSQL. Either `url`, or its parts. */
@OptionsRule<CheckedDatabaseOptions>(({ url, host, extra }) => [
  (url ?? undefined) === undefined &&
    !(typeof host === 'string' && host !== '') && { field: 'url', message: `is missing: ${URL_REMEDY}` },
  Boolean((extra as { readonly pipeline?: unknown } | undefined)?.pipeline) && {
    field: 'extra.pipeline',
    message:
      'must not be set: each statement would be one by itself, and run although the settings that carry its tenant had failed',
  },
])
export class CheckedDatabaseOptions {
  /** Where PostgreSQL is: `postgres://user:password@host/database`. It, or its parts, must be given. */
  @Option(postgresUrl(URL_REMEDY), { variable: ['TENANCY_DATABASE_URL', 'DATABASE_URL'], unless: 'host' })
  readonly url?: string;

  /** In place of `url`: a host, or the folder of a Unix socket. */
  @Option(text('give the name of a host', () => true))
  readonly host?: string;

  /** Beside `host`: an integer from 1 to 65,535. Default `PGPORT`, else 5,432. */
  @Option(integer(1, 65_535))
  readonly port?: number;

  /** Beside `host`: the role that logs in. Default `PGUSER`, else the user of the system. */
  @Option(text('give the name of a role', () => true))
  readonly username?: string;

  /** Beside `host`: a password, or a function that gives one. Default `PGPASSWORD`. */
  @Option(
    secret<PostgresOptions['password']>(
      'give a text, or a function that gives one',
      (value) => typeof value === 'string' || typeof value === 'function',
    ),
  )
  readonly password?: PostgresOptions['password'];

  /** Beside `host`: the name of the database. Default `PGDATABASE`, else the role's. */
  @Option(text('give the name of a database', () => true))
  readonly database?: string;

  /** TLS, as in pg: true, or options of `tls.connect()`. Default none. */
  @Option(
    secret<PostgresOptions['ssl']>(
      'give true, false, or options of tls.connect()',
      (value) => typeof value === 'boolean' || isObject(value),
    ),
  )
  readonly ssl?: PostgresOptions['ssl'];

  /** What `pg_stat_activity` calls the application. Default none. */
  @Option(text('give a name', () => true))
  readonly applicationName?: string;

  /** Further options of pg and its pool, such as `keepAliveInitialDelayMillis`. Default none. */
  @Option(secret<PostgresOptions['extra']>('give an object with options of pg', (value) => isObject(value)))
  // TypeORM's own type.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly extra?: any;

  /**
   * A URL that leads around the pooler that `url` leads to, for what needs a session of its own: LISTEN, session locks,
   * migrations with `transaction = false`. Default none: it is not needed without a pooler in transaction mode.
   *
   * @see docs/connections.md#behind-pgbouncer-in-transaction-mode
   */
  @Option(postgresUrl('give a postgres:// URL that leads around the pooler, or leave it out'), {
    variable: 'TENANCY_DIRECT_URL',
  })
  readonly directUrl?: string;

  /**
   * With `roles`: a URL whose role owns the schemas of all tenants, may make roles (CREATEROLE) and schemas, and serves no
   * requests. Default none.
   *
   * @see docs/roles.md
   */
  @Option(postgresUrl('give a postgres:// URL whose role owns the schemas of tenants'), {
    variable: 'TENANCY_ADMIN_URL',
  })
  readonly adminUrl?: string;

  /**
   * The database that tenants' own databases are made from: with the extensions and `sharedSchemas` that your template needs, and
   * with no sessions in it. Default `template0`, which has none of them.
   *
   * @see docs/placement.md#a-database-of-its-own
   */
  @Option(text('give the name of a database'))
  readonly databaseTemplate?: string;

  /**
   * Connections that all tenants share, an integer from 1. Default 10. The registry has four more of its own, two of
   * them for look-ups alone, and one that hears of its changes.
   *
   * @see docs/connections.md#connections-of-an-instance
   */
  @Option(integer(1), { variable: 'TENANCY_POOL_SIZE' })
  readonly poolSize: number = 10;

  /** Checkout timeout: how long a request waits for a connection, in milliseconds from 1. Default 10,000. */
  @Option(waiting(1), { variable: 'TENANCY_CONNECT_TIMEOUT_MS' })
  readonly connectTimeoutMs: number = 10_000;

  /**
   * How long PostgreSQL may be silent while it owes an answer, in milliseconds from 1: longer than your longest statement
   * takes. Then the connection is taken for broken, and its statement answered 503. Default none, that is, until TCP gives
   * up; the registry's own statements have 30 s.
   *
   * @see docs/faults.md#what-to-set
   */
  @Option(waiting(1), { variable: 'TENANCY_ANSWER_TIMEOUT_MS' })
  readonly answerTimeoutMs?: number;

  /**
   * How many connections one tenant may have at once, an integer from 1. Default half of `poolSize`, rounded up. Work that
   * holds a connection and asks for another, and would wait for itself, may have one more.
   *
   * @see docs/connections.md#many-tenants-few-connections
   */
  @Option(integer(1), {
    variable: 'TENANCY_MAX_CONNECTIONS_PER_TENANT',
    defaultOf: ({ poolSize }: CheckedDatabaseOptions) => halfOf(poolSize),
  })
  readonly maxConnectionsPerTenant!: number;

  /**
   * How many connections a tenant with a database of its own may have at once, an integer from 1, where `maxConnectionsPerTenant`
   * allows more. Default 2: they serve nobody else, and each takes a place that others must close theirs for.
   *
   * @see docs/placement.md#the-connections-of-many-databases
   */
  @Option(integer(1))
  readonly maxConnectionsPerDatabase: number = 2;

  /** How many requests of one tenant may wait for a connection, an integer from 0; others get 503 `TENANT_BUSY`. Default 1,000. */
  @Option(integer(0), { variable: 'TENANCY_MAX_WAITING_PER_TENANT' })
  readonly maxWaitingPerTenant: number = 1_000;

  /**
   * After how many different tenants a connection is replaced, an integer from 1, or 0 for never. PostgreSQL remembers the
   * tables of every tenant that a session has met: this bounds its memory. Default 1,000. Not behind a pooler,
   * which has settings of its own for that.
   *
   * @see docs/connections.md#memory-of-the-backends
   */
  @Option(integer(0), { variable: 'TENANCY_MAX_TENANTS_PER_CONNECTION' })
  readonly maxTenantsPerConnection: number = 1_000;

  /** After how long a connection that was not released is reported in the log, in milliseconds, or 0 for never. Default 30,000. */
  @Option(waiting(0), { variable: 'TENANCY_LEASE_WARNING_MS' })
  readonly leaseWarningMs: number = 30_000;

  /**
   * How long a tenant's statements and transactions may take: the same for all, or by tenant. Default no timeouts.
   *
   * @see docs/connections.md#timeouts-of-a-tenant
   */
  @Option(groupOrFunction<TenantTimeouts, TenantTimeoutsOption>(TenantTimeouts))
  readonly timeouts: TenantTimeoutsOption = {};

  /**
   * Whether PostgreSQL shows for whom a statement runs: its `application_name` is then `<slug>/<applicationName>`, in
   * `pg_stat_activity` and by `%a` in its log. With `roles` the tenant's schema stands in place of the slug, since all
   * tenants can read it. Default false.
   *
   * @see docs/observability.md#postgresqls-own-view
   */
  @Option(flag(), { variable: 'TENANCY_TENANT_IN_APPLICATION_NAME' })
  readonly tenantInApplicationName: boolean = false;

  /** How often the start tries to reach PostgreSQL, an integer from 1. Default 10. */
  @Option(integer(1), { variable: 'TENANCY_CONNECT_ATTEMPTS' })
  readonly connectAttempts: number = 10;

  /** Between two such tries, in milliseconds from 0. Default 3,000. */
  @Option(waiting(0), { variable: 'TENANCY_CONNECT_RETRY_DELAY_MS' })
  readonly connectRetryDelayMs: number = 3_000;
}

export type TenancyDatabaseOptions = Given<CheckedDatabaseOptions>;

/** One tenant leaves half of the connections to the others. 1 of what is no size, which is told of by itself. */
function halfOf(poolSize: number): number {
  const half = Math.ceil(poolSize / 2);
  return Number.isSafeInteger(half) && half > 0 ? half : 1;
}
