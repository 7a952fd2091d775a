import type { Type } from '@nestjs/common';
import type { DataSourceOptions } from 'typeorm';
import type { TenantLimitsOption } from '../connection/pool/tenant-limits';
import type { LookupCacheOptions } from '../resolution/resolution.options';
import type { DomainProof } from '../provisioning/domains/domain-proof';
import type {
  HookOptions,
  SharedMigrations,
  SparesOptions,
  SweeperOptions,
} from '../provisioning/provisioning.options';
import type { TenantResolver } from '../resolution/resolvers/tenant-resolver';
import type { TenantStore } from '../registry/store/tenant.store';

/** Token of the checked options. */
export const TENANCY_OPTIONS = Symbol('TENANCY_OPTIONS');

/**
 * Token of an `OptionsChange`, looked up among global providers, for whoever starts somebody's application for another
 * purpose than to serve: the command line.
 */
export const TENANCY_OPTIONS_CHANGE = Symbol('TENANCY_OPTIONS_CHANGE');

/** What comes of the checked options. What it throws fails the start. */
export type OptionsChange = (options: ResolvedTenancyOptions) => ResolvedTenancyOptions;

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

export interface TenancyOptions {
  /** `database.url` falls back to `TENANCY_DATABASE_URL`, then `DATABASE_URL`. */
  readonly database?: TenancyDatabaseOptions;
  /** Every entity of the tenants' data source. Entities name no schema. */
  readonly entities: NonNullable<PostgresOptions['entities']>;
  /** The application's TypeORM migrations, written with unqualified names: they build the template. Default none. */
  readonly migrations?: PostgresOptions['migrations'];
  readonly subscribers?: PostgresOptions['subscribers'];
  /** How requests name their tenant. Asked in this order; the first claim decides. At least one. */
  readonly resolvers: readonly TenantResolver[];
  /** Slug of the tenant that serves requests without a claim. Default none: they are refused. */
  readonly fallbackTenant?: string;
  /**
   * Proxies whose `X-Forwarded-Host` and `X-Forwarded-For` are believed: addresses, CIDR ranges, or `loopback`,
   * `linklocal`, `uniquelocal`. When given it alone decides for tenants, `[]` for no proxy at all. Default: what Express
   * (`trust proxy`) or Fastify (`trustProxy`) was told.
   */
  readonly trustedProxies?: readonly string[];
  /**
   * Whether the answers of tenants' routes name in `Vary` what of the request decides on the tenant, so that no cache in front
   * gives one tenant the answers of another. Default `TENANCY_VARY`, else true.
   */
  readonly vary?: boolean;
  /**
   * A second wall: each tenant gets a PostgreSQL role with rights on its own schema only, and its statements run as that
   * role. Needs `database.adminUrl`. Default `TENANCY_ROLES`, else false.
   */
  readonly roles?: boolean;
  /** Schemas that every tenant sees after its own: extensions, look-up tables. Default none. */
  readonly sharedSchemas?: readonly string[];
  /**
   * Migrations of shared schemas, by their names: `{ reference: [CreateCountries1700000000000] }`. Each runs once in a
   * database, before those of the template. A schema that is missing is made. Default none.
   */
  readonly sharedMigrations?: SharedMigrations;
  /** The schema that tenants are cloned from. Default `template`. */
  readonly templateSchema?: string;
  /**
   * Tables of the template whose rows, put there by migrations, every tenant begins with. Default none: rows in any
   * other table of the template fail the start, because no tenant would get them.
   */
  readonly templateData?: readonly string[];
  /** What else is done for each new tenant. */
  readonly hooks?: HookOptions;
  /** Schemas that wait for new tenants. */
  readonly spares?: SparesOptions;
  /** What is purged and repaired in the background. */
  readonly sweeper?: SweeperOptions;
  /** Run pending migrations on the template at start. Default true; with false, pending ones fail the start. */
  readonly migrateTemplate?: boolean;
  readonly registry?: {
    /** The schema of our own tables. Default `tenancy`. */
    readonly schema?: string;
    /** Create and migrate it at start. Default true; with false, a registry that is behind fails the start. */
    readonly migrate?: boolean;
  };
  /** Replaces the store over the registry: an instance, or a class that Nest instantiates. */
  readonly store?: TenantStore | Type<TenantStore>;
  /** Slugs that no tenant may have. Default `www api app admin mail static`. */
  readonly reservedSlugs?: readonly string[];
  /** Tenants may have domains such as `*.acme.com`, which `fromDomain({ wildcards: true })` finds. Default false. */
  readonly wildcardDomains?: boolean;
  /**
   * How a tenant proves that a domain is its own before it is given it: `dnsTxtProof()`, or one of your own. Default none:
   * whoever may give domains decides.
   */
  readonly domainProof?: DomainProof;
  /** How look-ups of tenants are remembered. */
  readonly cache?: LookupCacheOptions;
  /** Further TypeORM options: logging, naming strategy, replication and so on. */
  readonly typeorm?: TenancyTypeOrmOptions;
}

/** The options with defaults and environment filled in, as the module works with them. */
export interface ResolvedTenancyOptions extends TenancyOptions {
  readonly database: TenancyDatabaseOptions &
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
  readonly vary: boolean;
  readonly roles: boolean;
  readonly sharedSchemas: readonly string[];
  readonly sharedMigrations: SharedMigrations;
  readonly templateSchema: string;
  readonly templateData: readonly string[];
  readonly hooks: Required<HookOptions>;
  readonly spares: Required<SparesOptions>;
  readonly sweeper: Required<Omit<SweeperOptions, 'purgeAfterMs'>> & Pick<SweeperOptions, 'purgeAfterMs'>;
  readonly migrateTemplate: boolean;
  /** The start leaves the template as it is, even if it is behind. Only by `OptionsChange`. */
  readonly leaveTemplate?: boolean;
  readonly registry: { readonly schema: string; readonly migrate: boolean };
  readonly reservedSlugs: readonly string[];
  readonly wildcardDomains: boolean;
}
