import type { DataSourceOptions, EntityManager } from 'typeorm';
import {
  callback,
  flag,
  group,
  integer,
  isObject,
  isPlainObject,
  isSchemaName,
  kind,
  listOf,
  milliseconds,
  SCHEMA_RULE,
  text,
  texts,
  waiting,
  withMethod,
} from '../common/options/kinds';
import { type Given, Option } from '../common/options/option.decorator';
import { DEFAULT_PLACE, ISOLATIONS, isServerName, type Place } from '../placement/place';
import { DEFAULT_RESERVED_SLUGS } from '../registry/claim';
import type { Tenant } from '../registry/tenant';
import type { DomainProof } from './domains/domain-proof';

/** Token of the options below. */
export const PROVISIONING_OPTIONS = Symbol('PROVISIONING_OPTIONS');

/** How a tenant came to be. */
export type TenantOrigin = 'create' | 'clone' | 'adopt' | 'import';

/** What a tenant of the origin `clone` is a copy of. */
export interface CopiedTenant {
  readonly from: Tenant;
  /** Whether values were masked that must not leave the original. What cannot be masked should then stay there, too. */
  readonly isMasked: boolean;
}

/**
 * Called for each new tenant, in the transaction that makes its row and its schema. `manager` works in that
 * transaction; so does every injected repository, because the code runs for the new tenant. When it fails, nothing of
 * the tenant is kept. `copied` is given for the origin `clone`.
 */
export type ProvisionHook = (
  tenant: Tenant,
  manager: EntityManager,
  origin: TenantOrigin,
  copied?: CopiedTenant,
) => unknown;

/** A step in a tenant's life, before it is taken. */
export type TenantStep = 'suspend' | 'activate' | 'delete' | 'restore' | 'purge';

/**
 * Called before a step in a tenant's life is taken: for what must be done elsewhere, or to refuse. When it fails, the
 * step is not taken. May be called again for the same step (a crash, somebody else's change between the two), so it must
 * bear that.
 *
 * A purge calls it when nothing can bring the tenant back any more, and before its schema is dropped; when it fails, the
 * purge stays unfinished, and the sweeper tries again. `tenant` is as it was before.
 */
export type TransitionHook = (tenant: Tenant, step: TenantStep) => unknown;

export class CheckedHookOptions {
  /**
   * Called with `(tenant, manager, origin, copied)` for each new tenant, in this order, in the transaction that makes it.
   * `origin` is `create`, `clone`, `adopt` or `import`; `copied` says what a clone is a copy of. Default none. Providers: see `@OnProvision()`.
   *
   * @see docs/tenants.md#what-else-a-new-tenant-needs
   */
  @Option(functions<ProvisionHook>('@OnProvision()'))
  readonly onProvision: readonly ProvisionHook[] = [];

  /**
   * Called with `(tenant, step)` before each step in a tenant's life, in this order: `suspend`, `activate`, `delete`,
   * `restore`, `purge`. Default none. Providers: see `@OnTransition()`.
   */
  @Option(functions<TransitionHook>('@OnTransition()'))
  readonly onTransition: readonly TransitionHook[] = [];
}

function functions<T>(decorator: string) {
  const remedy = `give a list of functions; a class is a provider with ${decorator}`;
  return listOf<T>(remedy, (each) => typeof each === 'function');
}

/** Each is a whole schema; more of them are a slip of the finger. */
const MAX_SPARES = 1_000;

/** Clones of the template that wait for their tenants, so that a sign-up does not wait for a clone. */
export class CheckedSparesOptions {
  /** How many are kept ready, an integer from 0 to 1,000. Default 0. Each is a whole schema. */
  @Option(integer(0, MAX_SPARES), { variable: 'TENANCY_SPARES_COUNT' })
  readonly count: number = 0;

  /** The same of databases, for tenants with `isolation: 'database'`. Default 0. Each is a whole database, on each server. */
  @Option(integer(0, MAX_SPARES))
  readonly databases: number = 0;

  /** How many of them one instance makes at once, an integer from 1. Default 1. Each takes a connection of the pool. */
  @Option(integer(1), { variable: 'TENANCY_SPARES_REFILL_CONCURRENCY' })
  readonly refillConcurrency: number = 1;
}

/** What is put in order in the background. */
export class CheckedSweeperOptions {
  /** Between two sweeps, in milliseconds; the first comes at start. Default 600,000. 0: only when `sweep()` is called. */
  @Option(waiting(0), { variable: 'TENANCY_SWEEPER_INTERVAL_MS' })
  readonly intervalMs: number = 600_000;

  /**
   * How long a deleted tenant can still be restored, in milliseconds from 0 since it was last changed; then it is purged.
   * Default none: for ever, because nothing brings a purged tenant back.
   */
  @Option(milliseconds(0), { variable: 'TENANCY_SWEEPER_PURGE_AFTER_MS' })
  readonly purgeAfterMs?: number;

  /**
   * How long an empty schema with a name like those of tenants may belong to nobody before it is dropped, in
   * milliseconds from 0. Default 86,400,000, a day.
   */
  @Option(milliseconds(0), { variable: 'TENANCY_SWEEPER_ORPHAN_AFTER_MS' })
  readonly orphanAfterMs: number = 86_400_000;
}

/** A tenant that is about to be made, before it has a place. */
export type NewTenantDraft = Pick<Tenant, 'id' | 'slug' | 'name' | 'domains' | 'metadata'>;

/** Where new tenants live. */
export class CheckedPlacementOptions {
  /** For those that nothing else is said of. Default `{ server: 'default', isolation: 'schema' }`. */
  @Option(kind<Place>("give { server, isolation: 'schema' }", isPlace))
  readonly default: Place = DEFAULT_PLACE;

  /** Gives the place of a new tenant, or a part of it. Default none. */
  @Option(callback<(draft: NewTenantDraft) => Partial<Place> | undefined>('give a function of a new tenant'))
  readonly of?: (draft: NewTenantDraft) => Partial<Place> | undefined;
}

function isPlace(value: unknown): boolean {
  const { server, isolation } = (isPlainObject(value) ? value : {}) as Partial<Place>;
  return isServerName(server) && (ISOLATIONS as readonly unknown[]).includes(isolation);
}

export type PlacementOptions = Given<CheckedPlacementOptions>;
export type HookOptions = Given<CheckedHookOptions>;
export type SparesOptions = Given<CheckedSparesOptions>;
export type SweeperOptions = Given<CheckedSweeperOptions>;

/** TypeORM migrations, or globs of their files, by the shared schema that they are of. */
export type SharedMigrations = Readonly<Record<string, NonNullable<DataSourceOptions['migrations']>>>;

/** What to say of migrations of shared schemas that are none. */
export const MIGRATIONS_REMEDY =
  'give lists of migrations by the names of sharedSchemas: { reference: [CreateCountries…] }';

/** How tenants are made, and what becomes of them. */
export class CheckedProvisioningOptions {
  /** The schema that tenants are cloned from. Default `template`. */
  @Option(text(`it ${SCHEMA_RULE}`, isSchemaName), { variable: 'TENANCY_TEMPLATE_SCHEMA' })
  readonly templateSchema: string = 'template';

  /** Run pending migrations on the template at start. Default true; with false, pending ones fail the start. */
  @Option(flag(), { variable: 'TENANCY_MIGRATE_TEMPLATE' })
  readonly migrateTemplate: boolean = true;

  /**
   * Tables of the template whose rows, put there by migrations, every tenant begins with. Default none: rows in any
   * other table of the template fail the start, because no tenant would get them.
   *
   * @see docs/template.md#rows-that-every-tenant-begins-with
   */
  @Option(texts('give a list of tables of the template', (each) => each !== ''), {
    variable: 'TENANCY_TEMPLATE_DATA',
  })
  readonly templateData: readonly string[] = [];

  /**
   * Migrations of shared schemas, by their names: `{ reference: [CreateCountries1700000000000] }`. Each runs once in a
   * database, before those of the template. A schema that is missing is made. Default none.
   *
   * @see docs/template.md#shared-schemas
   */
  @Option(kind<SharedMigrations>(MIGRATIONS_REMEDY, isMigrationsBySchema))
  readonly sharedMigrations: SharedMigrations = {};

  /** What else is done for each new tenant, and before each step in a tenant's life. */
  @Option(group(CheckedHookOptions))
  readonly hooks: CheckedHookOptions = new CheckedHookOptions();

  /** Schemas that wait for new tenants. @see docs/tenants.md#sign-up-in-milliseconds */
  @Option(group(CheckedSparesOptions))
  readonly spares: CheckedSparesOptions = new CheckedSparesOptions();

  /** What is purged and repaired in the background. @see docs/tenants.md#the-sweeper */
  @Option(group(CheckedSweeperOptions))
  readonly sweeper: CheckedSweeperOptions = new CheckedSweeperOptions();

  /** Where new tenants live. @see docs/placement.md */
  @Option(group(CheckedPlacementOptions))
  readonly placement: CheckedPlacementOptions = new CheckedPlacementOptions();

  /** Slugs that no tenant may have. Default `www api app admin mail static`. */
  @Option(texts('give a list of words'), { variable: 'TENANCY_RESERVED_SLUGS' })
  readonly reservedSlugs: readonly string[] = DEFAULT_RESERVED_SLUGS;

  /** Tenants may have domains such as `*.acme.com`, which `fromDomain({ wildcards: true })` finds. Default false. */
  @Option(flag(), { variable: 'TENANCY_WILDCARD_DOMAINS' })
  readonly wildcardDomains: boolean = false;

  /**
   * How a tenant proves that a domain is its own before it is given it: `dnsTxtProof()`, or one of your own. Default none:
   * whoever may give domains decides.
   *
   * @see docs/admin.md#proof-of-a-domain
   */
  @Option(withMethod<DomainProof>('prove', 'give dnsTxtProof(), or an object with prove()'))
  readonly domainProof?: DomainProof;
}

function isMigrationsBySchema(value: unknown): boolean {
  return isPlainObject(value) && Object.values(value).every(isObject);
}

/** What provisioning needs of the options. */
export interface ProvisioningOptions extends Omit<CheckedProvisioningOptions, 'hooks'> {
  /** The schema of the registry, which holds the template's ledger. */
  readonly registrySchema: string;
  /** Schemas that every tenant sees after its own. */
  readonly sharedSchemas: readonly string[];
  /** Each tenant has a PostgreSQL role of its own. */
  readonly roles: boolean;
  /** The start does not even look at the template. */
  readonly leaveTemplate?: boolean;
  readonly onProvision: readonly ProvisionHook[];
  readonly onTransition: readonly TransitionHook[];
}
