import type { Type } from '@nestjs/common';
import type { DataSourceOptions } from 'typeorm';
import type {
  ResolvedDatabaseOptions,
  TenancyDatabaseOptions,
  TenancyTypeOrmOptions,
} from '../connection/connection.options';
import type { LookupCacheOptions } from '../registry/cache/lookup-cache.options';
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
  readonly database: ResolvedDatabaseOptions;
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
