import type { DataSourceOptions, EntityManager } from 'typeorm';
import type { Tenant } from '../registry/tenant';
import type { DomainProof } from './domains/domain-proof';

export const PROVISIONING_OPTIONS = Symbol('PROVISIONING_OPTIONS');

/** How a tenant came to be. */
export type TenantOrigin = 'create' | 'clone' | 'adopt' | 'import';

/**
 * Called for each new tenant, in the transaction that makes its row and its schema. `manager` works in that
 * transaction; so does every injected repository, because the code runs for the new tenant. When it fails, nothing of
 * the tenant is kept.
 */
export type ProvisionHook = (tenant: Tenant, manager: EntityManager, origin: TenantOrigin) => unknown;

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

export interface HookOptions {
  /** Called for each new tenant, in this order. Default none. Providers: see `@OnProvision()`. */
  readonly onProvision?: readonly ProvisionHook[];
  /** Called before each step in a tenant's life, in this order. Default none. Providers: see `@OnTransition()`. */
  readonly onTransition?: readonly TransitionHook[];
}

/** Clones of the template that wait for their tenants, so that a sign-up does not wait for a clone. */
export interface SparesOptions {
  /** How many are kept ready, an integer from 0 to 1,000. Default 0. Each is a whole schema. */
  readonly count?: number;
  /** How many of them one instance makes at once, an integer from 1. Default 1. Each takes a connection of the pool. */
  readonly refillConcurrency?: number;
}

/** What is put in order in the background. */
export interface SweeperOptions {
  /** Between two sweeps, in milliseconds; the first comes at start. Default 600,000. 0: only when `sweep()` is called. */
  readonly intervalMs?: number;
  /**
   * How long a deleted tenant can still be restored, in milliseconds from 0 since it was last changed; then it is purged.
   * Default: for ever, because nothing brings a purged tenant back.
   */
  readonly purgeAfterMs?: number;
  /**
   * How long an empty schema with a name like those of tenants may belong to nobody before it is dropped, in
   * milliseconds from 0. Default 86,400,000, a day.
   */
  readonly orphanAfterMs?: number;
}

/** TypeORM migrations, or globs of their files, by the shared schema that they are of. */
export type SharedMigrations = Readonly<Record<string, NonNullable<DataSourceOptions['migrations']>>>;

export interface ProvisioningOptions {
  /** The schema that new tenants are cloned from. */
  readonly templateSchema: string;
  /** Tables of the template whose rows every tenant begins with. */
  readonly templateData: readonly string[];
  /** The schema of the registry, which holds the template's ledger. */
  readonly registrySchema: string;
  /** Schemas that every tenant sees after its own. */
  readonly sharedSchemas: readonly string[];
  /** Migrations of shared schemas, by schema. */
  readonly sharedMigrations: SharedMigrations;
  /** Each tenant has a PostgreSQL role of its own. */
  readonly roles: boolean;
  /** Run pending migrations on the template at start; else their presence is an error. */
  readonly migrateTemplate: boolean;
  /** The start does not even look at the template. */
  readonly leaveTemplate?: boolean;
  /** Slugs that no tenant may have. */
  readonly reservedSlugs: readonly string[];
  /** Tenants may have domains such as `*.acme.com`. */
  readonly wildcardDomains: boolean;
  /** Asked before a tenant is given a domain. None: whoever may give it decides. */
  readonly domainProof?: DomainProof;
  readonly onProvision: readonly ProvisionHook[];
  readonly onTransition: readonly TransitionHook[];
  readonly spares: Required<SparesOptions>;
  readonly sweeper: Required<Omit<SweeperOptions, 'purgeAfterMs'>> & Pick<SweeperOptions, 'purgeAfterMs'>;
}
