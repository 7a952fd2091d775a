import type { DataSourceOptions } from 'typeorm';
import type { TenantLimitsOption } from './pool/tenant-limits';

/** Token of the options below. */
export const CONNECTION_OPTIONS = Symbol('CONNECTION_OPTIONS');

type PostgresOptions = Extract<DataSourceOptions, { type: 'postgres' }>;

/** How to reach PostgreSQL. Either `url`, or the parts that TypeORM knows. */
export interface TenancyDatabaseOptions extends Pick<
  PostgresOptions,
  'url' | 'host' | 'port' | 'username' | 'password' | 'database' | 'ssl' | 'applicationName' | 'extra'
> {
  /**
   * A URL that leads around the pooler that `url` leads to, for what needs a session of its own: LISTEN, session locks,
   * migrations with `transaction = false`. Default `TENANCY_DIRECT_URL`; not needed without a pooler in transaction mode.
   */
  readonly directUrl?: string;
  /**
   * With `roles`: a URL whose role owns the schemas of all tenants, may make roles (CREATEROLE) and schemas, and serves no
   * requests. Default `TENANCY_ADMIN_URL`.
   */
  readonly adminUrl?: string;
  /**
   * Connections that all tenants share, an integer from 1. Default 10. The registry has four more of its own, two of
   * them for look-ups alone, and one that hears of its changes.
   */
  readonly poolSize?: number;
  /** How long a request waits for a connection, new or lent, in milliseconds from 1. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /**
   * How long PostgreSQL may be silent while it owes an answer, in milliseconds from 1: longer than your longest statement
   * takes. Then the connection is taken for broken, and its statement answered 503. Default none, that is, until TCP gives
   * up; the registry's own statements have 30 s.
   */
  readonly answerTimeoutMs?: number;
  /**
   * How many connections one tenant may have at once, an integer from 1. Default half of `poolSize`, rounded up. Work that
   * holds a connection and asks for another, and would wait for itself, may have one more.
   */
  readonly maxConnectionsPerTenant?: number;
  /** How many requests of one tenant may wait for a connection, an integer from 0; others get 503 `TENANT_BUSY`. Default 1,000. */
  readonly maxWaitingPerTenant?: number;
  /**
   * After how many different tenants a connection is replaced, an integer from 1, or 0 for never. PostgreSQL remembers the
   * tables of every tenant that a session has met: this bounds its memory. Default 1,000. Not behind a pooler,
   * which has settings of its own for that.
   */
  readonly maxTenantsPerConnection?: number;
  /** After how long a connection that is still lent is warned of in the log, in milliseconds, or 0 for never. Default 30,000. */
  readonly leaseWarningMs?: number;
  /** How long a tenant's statements and transactions may take: the same for all, or by tenant. Default no limits. */
  readonly limits?: TenantLimitsOption;
  /**
   * Whether PostgreSQL shows for whom a statement runs: its `application_name` is then `<slug>/<applicationName>`, in
   * `pg_stat_activity` and by `%a` in its log. With `roles` the tenant's schema stands in place of the slug, since all
   * tenants can read it. Default `TENANCY_TENANT_IN_APPLICATION_NAME`, else false.
   */
  readonly tenantInApplicationName?: boolean;
  /** How often the start tries to reach PostgreSQL, an integer from 1. Default 10. */
  readonly connectAttempts?: number;
  /** Between two such tries, in milliseconds from 0. Default 3,000. */
  readonly connectRetryDelayMs?: number;
}

/** What TypeORM may be told besides. What would break isolation or the template is refused with the reason. */
export type TenancyTypeOrmOptions = Partial<
  Omit<
    PostgresOptions,
    'type' | 'name' | 'driver' | 'entities' | 'migrations' | 'subscribers' | keyof TenancyDatabaseOptions
  >
>;

/** The same with defaults and environment filled in. */
export type ResolvedDatabaseOptions = TenancyDatabaseOptions &
  Required<
    Pick<
      TenancyDatabaseOptions,
      | 'poolSize'
      | 'connectTimeoutMs'
      | 'maxConnectionsPerTenant'
      | 'maxWaitingPerTenant'
      | 'maxTenantsPerConnection'
      | 'leaseWarningMs'
      | 'limits'
      | 'tenantInApplicationName'
      | 'connectAttempts'
      | 'connectRetryDelayMs'
    >
  >;

/** What the data sources are made of. */
export interface ConnectionOptions {
  readonly database: ResolvedDatabaseOptions;
  readonly entities: NonNullable<PostgresOptions['entities']>;
  readonly migrations?: PostgresOptions['migrations'];
  readonly subscribers?: PostgresOptions['subscribers'];
  readonly sharedSchemas: readonly string[];
  readonly roles: boolean;
  readonly typeorm?: TenancyTypeOrmOptions;
  readonly registry: { readonly schema: string; readonly migrate: boolean };
}
