import type { QueryRunner } from 'typeorm';
import type { Tenant, TenantClaim, TenantStatus } from './tenant';

/** A tenant as the life cycle hands it over for keeping: checked, normalised, with its dates unset. */
export type NewTenant = Omit<Tenant, 'statusReason' | 'deletedFrom' | 'createdAt' | 'updatedAt'>;

/** What may change in a tenant's life. `metadata` replaces the whole object. */
export type TenantChanges = Partial<
  Pick<Tenant, 'slug' | 'name' | 'status' | 'statusReason' | 'deletedFrom' | 'metadata'>
>;

export interface TenantQuery {
  /** An integer from 1. */
  readonly limit: number;
  /** A uuid. Only tenants whose id sorts after it: ids are UUID v7, so pages follow the order of creation. */
  readonly afterId?: string;
  readonly status?: TenantStatus;
  /** Case-insensitive part of slug or name; `%` and `_` stand for themselves. */
  readonly search?: string;
}

/**
 * The port that reads and writes the registry. What it gives and takes are snapshots: nobody who changes one changes
 * what the store keeps.
 *
 * Absent is `undefined`; a store that cannot answer throws `TenancyUnavailableError`, never "no such tenant".
 * `runTenantStoreContract` of `nestjs-tenancy/testing` checks an implementation.
 */
export abstract class TenantStore {
  /**
   * The tenant a claim names, whatever its status. Slugs are compared as they are, ids and domains without regard to
   * case. A malformed value (not a uuid, a NUL, 10 kB) names nobody; `normalizeClaim` tells which are.
   */
  abstract find(claim: TenantClaim): Promise<Tenant | undefined>;

  /** Tenants in the order of their ids, at most `limit` of them. An empty `search` is no search. */
  abstract list(query: TenantQuery): Promise<Tenant[]>;

  /**
   * Keeps a new tenant. A store in the tenants' own database writes through `transaction`, so that row and schema
   * appear together or not at all; any other ignores it, and the caller calls `remove` when the rest fails.
   *
   * @throws TenantSlugTakenError, DomainTakenError, SchemaNameTakenError
   */
  abstract insert(tenant: NewTenant, transaction?: QueryRunner): Promise<Tenant>;

  /**
   * Changes a tenant and its `updatedAt`. With `expectedStatus` nothing happens unless the tenant is in one of them
   * at that very moment, and the answer is `undefined`, as for an id that names nobody.
   *
   * @throws TenantSlugTakenError
   */
  abstract update(
    id: string,
    changes: TenantChanges,
    expectedStatus?: readonly TenantStatus[],
  ): Promise<Tenant | undefined>;

  /** Forgets a tenant whose creation failed. An id that names nobody is fine. */
  abstract remove(id: string): Promise<void>;

  /**
   * Gives a domain, as `normalizeDomain` spells it, to a tenant; one it already has is fine and changes nothing.
   * `undefined` when the id names nobody.
   *
   * @throws DomainTakenError
   */
  abstract addDomain(id: string, domain: string): Promise<Tenant | undefined>;

  /** Takes a domain away; one it does not have is fine and changes nothing. `undefined` when the id names nobody. */
  abstract removeDomain(id: string, domain: string): Promise<Tenant | undefined>;
}
