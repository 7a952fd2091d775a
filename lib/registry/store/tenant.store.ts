import type { QueryRunner } from 'typeorm';
import { type Isolation, type Place, placeOf } from '../../placement/place';
import {
  pick,
  type Tenant,
  type TenantClaim,
  type TenantField,
  tenantFields,
  type TenantStatus,
} from '../tenant';
import type { AuditQuery, AuditRecord, TenantAction } from '../events/tenant-audit';
import type { TenantChangeFeed } from '../changes/tenant-changes';

/** A tenant to be inserted: checked and normalised, without its dates. */
export type NewTenant = Pick<Tenant, TenantField<'given'>> & {
  /** Default: a schema on the server that the option `database` names. */
  readonly place?: Place;
};

/** The fields of a tenant to change. `metadata` replaces the whole object. */
export type TenantUpdate = Partial<Pick<Tenant, TenantField<'changes'>>>;

/** Conditions that a tenant must meet at the moment it is changed; otherwise nothing happens. */
export interface TenantExpectation {
  /** Its status is one of these. */
  readonly status?: readonly TenantStatus[];
  readonly version?: number;
}

export interface TenantWriteOptions {
  readonly expected?: TenantExpectation;
  /**
   * What to record if something changes, with the change or not at all. A store that has no `listAudit` may leave it
   * out.
   */
  readonly audit?: TenantAction;
}

export interface TenantQuery {
  /** An integer from 1. */
  readonly limit: number;
  /** A uuid. Only tenants whose id sorts after it: ids are UUID v7, so pages follow the order of creation. */
  readonly afterId?: string;
  readonly status?: TenantStatus;
  /** Only tenants that live on this server. */
  readonly server?: string;
  /** Only tenants that live so. */
  readonly isolation?: Isolation;
  /** Case-insensitive part of slug or name; `%` and `_` stand for themselves. */
  readonly search?: string;
}

/** Which tenants, however many. */
export type TenantFilter = Pick<TenantQuery, 'status' | 'server' | 'isolation' | 'search'>;

const PAGE_SIZE = 100;

/** Whether a filter lets a tenant through, for those that look at one after the other. */
export function matches(tenant: Tenant, { status, server, isolation, search = '' }: TenantFilter): boolean {
  const place = placeOf(tenant);
  const part = search.toLowerCase();
  return (
    (status ?? tenant.status) === tenant.status &&
    (server ?? place.server) === place.server &&
    (isolation ?? place.isolation) === place.isolation &&
    [tenant.slug, tenant.name].some((text) => text.toLowerCase().includes(part))
  );
}

/**
 * The fields that are to change, without those that are `undefined` and whatever else came along. `null` is a value.
 */
export function givenChanges(changes: TenantUpdate): TenantUpdate {
  return pick(
    changes,
    tenantFields('changes').filter((field) => changes[field] !== undefined),
  );
}

/**
 * The port that reads and writes the registry. It takes and returns snapshots: changing one does not change
 * what the store keeps. A tenant that it returns is frozen in place before a request or `TenantContext.run()` sees it.
 *
 * Absent is `undefined`; a store that cannot answer throws `TenancyUnavailableError`, never "no such tenant".
 * `runTenantStoreContract` of `nestjs-tenancy/testing` checks an implementation.
 */
export abstract class TenantStore {
  /**
   * Tells of changes, whoever made them. Only in stores that can; without it an answer is remembered for 800 ms at most.
   */
  readonly changes?: TenantChangeFeed;

  /**
   * The tenant a claim names, whatever its status. Slugs are compared as they are, ids and domains without regard to
   * case. A malformed value (not a uuid, a NUL, 10 kB) names nobody; `normalizeClaim` tells which are.
   */
  abstract find(claim: TenantClaim): Promise<Tenant | undefined>;

  /**
   * The tenants that several claims name, each in the place of its claim. Requests for tenants that are not remembered
   * are gathered, at most 500 at once, so a store that is asked over a network should answer them in one question;
   * without an override it is asked for each, all at the same time.
   */
  findMany(claims: readonly TenantClaim[]): Promise<(Tenant | undefined)[]> {
    return Promise.all(claims.map((claim) => this.find(claim)));
  }

  /** Tenants in the order of their ids, at most `limit` of them. An empty `search` is no search. */
  abstract list(query: TenantQuery): Promise<Tenant[]>;

  /** All of them in that order, a page at a time, so that memory does not grow with the fleet. No page is empty. */
  async *eachPage(query: TenantFilter = {}, limit = PAGE_SIZE): AsyncGenerator<Tenant[]> {
    const { server, isolation } = query;
    for (let afterId: string | undefined; ;) {
      const page = await this.list({ ...query, limit, afterId });
      // A store that was written before there were places does not know of them.
      const found = page.filter((each) => matches(each, { server, isolation }));
      if (found.length > 0) yield found;
      if (page.length < limit) return;
      afterId = page.at(-1)?.id;
    }
  }

  /** The same, one by one: `for await (const tenant of store.each({ status: 'active' }))`. */
  async *each(query: TenantFilter = {}): AsyncGenerator<Tenant> {
    for await (const page of this.eachPage(query)) yield* page;
  }

  /**
   * Keeps a new tenant. A store in the tenants' own database writes through `transaction`, so that row and schema
   * appear together or not at all; any other ignores it, and the caller calls `remove` when the rest fails.
   *
   * @throws TenantSlugTakenError, DomainTakenError, SchemaNameTakenError
   */
  abstract insert(
    tenant: NewTenant,
    transaction?: QueryRunner,
    options?: Pick<TenantWriteOptions, 'audit'>,
  ): Promise<Tenant>;

  /**
   * Changes a tenant, its `updatedAt` and its `version`. `undefined`, and nothing happened, when the tenant is not
   * what `expected` says or the id names nobody.
   *
   * @throws TenantSlugTakenError
   */
  abstract update(
    id: string,
    changes: TenantUpdate,
    options?: TenantWriteOptions,
  ): Promise<Tenant | undefined>;

  /** Removes a tenant whose creation failed: its audit is empty from then on. An unknown id is fine. */
  abstract remove(id: string): Promise<void>;

  /**
   * Gives a domain, as `normalizeDomain` spells it, to a tenant; one it already has is fine and changes nothing.
   * `undefined`, and nothing happened, when the tenant is not what `expected` says or the id names nobody.
   *
   * @throws DomainTakenError
   */
  abstract addDomain(id: string, domain: string, options?: TenantWriteOptions): Promise<Tenant | undefined>;

  /**
   * Takes a domain away; one it does not have is fine and changes nothing. `undefined`, and nothing happened, when the
   * tenant is not what `expected` says or the id names nobody.
   */
  abstract removeDomain(
    id: string,
    domain: string,
    options?: TenantWriteOptions,
  ): Promise<Tenant | undefined>;

  /**
   * What was recorded of a tenant, the latest first. A tombstone's record is kept; an id that names nobody has none.
   * Only in stores that record.
   */
  listAudit?(query: AuditQuery): Promise<AuditRecord[]>;
}
