import type { DataSource, EntityManager, QueryRunner, SelectQueryBuilder } from 'typeorm';
import { orUnavailable } from '../../common/outage';
import { TenancyUnavailableError } from '../../common/tenancy.errors';
import { isUuid, normalizeClaim } from '../claim';
import type { AuditQuery, AuditRecord } from '../events/tenant-audit';
import { findActions, recordAction } from '../events/audit-events';
import { EventSealer } from '../events/event-sealer';
import { recordEvent } from '../events/event-outbox';
import { registrySchema } from '../registry-schema';
import { quoteIdentifier } from '../../common/sql';
import { findTenant, findTenants, readTenants, withDomains } from './tenant-queries';
import {
  addDomain,
  deleteTenant,
  insertTenant,
  lockTenant,
  removeDomain,
  updateTenant,
} from './tenant-writes';
import {
  TenantStore,
  type NewTenant,
  type TenantUpdate,
  type TenantQuery,
  type TenantWriteOptions,
} from './tenant.store';
import type { Tenant, TenantClaim } from '../tenant';
import { TenantDomainEntity } from './tenant-domain.entity';
import { TenantEntity } from './tenant.entity';

/**
 * Keeps tenants in the registry's tables, over a DataSource made of `registryOptions` and opened by `openRegistry`.
 * All of its SQL names the registry's schema, so it means the same on whatever connection it runs.
 */
export class TypeOrmTenantStore extends TenantStore {
  private readonly schema: string;

  /**
   * `lookups` is another pool for the same tables. Look-ups of requests use it, so that they wait for no other work.
   */
  constructor(
    private readonly dataSource: DataSource,
    private readonly lookups: DataSource = dataSource,
    private readonly sealer = new EventSealer(dataSource),
  ) {
    super();
    this.schema = quoteIdentifier(registrySchema(dataSource));
  }

  async find(claim: TenantClaim): Promise<Tenant | undefined> {
    const normalized = normalizeClaim(claim);
    return normalized && this.answer(() => findTenant(this.lookups.manager, normalized));
  }

  override async findMany(claims: readonly TenantClaim[]): Promise<(Tenant | undefined)[]> {
    const normalized = claims.map(normalizeClaim);
    if (normalized.every((claim) => claim === undefined)) return normalized.map(() => undefined);
    return this.answer(() => findNamedTenants(this.lookups.manager, normalized));
  }

  async list(query: TenantQuery): Promise<Tenant[]> {
    // PostgreSQL refuses a text with a NUL, even in a comparison.
    if (query.search?.includes('\0')) return [];
    return this.answer(() => findTenants(this.dataSource.manager, query));
  }

  /** `transaction` must be open, and of the database that holds the registry. */
  async insert(
    tenant: NewTenant,
    transaction?: QueryRunner,
    { audit }: Pick<TenantWriteOptions, 'audit'> = {},
  ): Promise<Tenant> {
    const work = async (manager: EntityManager) => {
      const kept = await insertTenant(manager, tenant);
      if (audit) await recordAction(manager, this.schema, tenant.id, audit);
      return kept;
    };
    return transaction
      ? this.answer(() => work(this.dataSource.createEntityManager(transaction)))
      : this.write(work);
  }

  async update(
    id: string,
    changes: TenantUpdate,
    { expected, audit }: TenantWriteOptions = {},
  ): Promise<Tenant | undefined> {
    return this.change(id, async (manager) => {
      if (!(await updateTenant(manager, id, changes, expected))) return false;
      if (audit) await recordAction(manager, this.schema, id, audit);
      return true;
    });
  }

  async remove(id: string): Promise<void> {
    if (!isUuid(id)) return;
    await this.write(async (manager) => {
      // What was recorded stays: it may have been read.
      if (await deleteTenant(manager, id))
        await recordEvent(manager, this.schema, { tenantId: id, type: 'tenant.creation-failed' });
    });
  }

  async addDomain(id: string, domain: string, options?: TenantWriteOptions): Promise<Tenant | undefined> {
    return this.changeLocked(id, options, (manager) => addDomain(manager, id, domain));
  }

  async removeDomain(id: string, domain: string, options?: TenantWriteOptions): Promise<Tenant | undefined> {
    return this.changeLocked(id, options, (manager) => removeDomain(manager, id, domain));
  }

  override async listAudit(query: AuditQuery): Promise<AuditRecord[]> {
    if (!isUuid(query.tenantId)) return [];
    return this.answer(async () => {
      await this.sealer.seal(query.tenantId);
      return findActions(this.dataSource.manager, this.schema, query);
    });
  }

  /** `work` returns whether it changed anything. */
  private changeLocked(
    id: string,
    { expected, audit }: TenantWriteOptions = {},
    work: (manager: EntityManager) => Promise<boolean>,
  ): Promise<Tenant | undefined> {
    return this.change(id, async (manager) => {
      if (!(await lockTenant(manager, id, expected))) return false;
      if ((await work(manager)) && audit) await recordAction(manager, this.schema, id, audit);
      return true;
    });
  }

  /** The tenant after `work`; `undefined` when `work` found no tenant to change. */
  private async change(
    id: string,
    work: (manager: EntityManager) => Promise<boolean>,
  ): Promise<Tenant | undefined> {
    if (!isUuid(id)) return undefined;
    return this.write(async (manager) => {
      return (await work(manager)) ? findTenant(manager, { by: 'id', value: id }) : undefined;
    });
  }

  /** Explicitly READ COMMITTED: under a stricter default of the database a lost race would be an error. */
  private write<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.answer(() => this.dataSource.transaction('READ COMMITTED', work));
  }

  private async answer<T>(work: () => Promise<T>): Promise<T> {
    try {
      // Before its first connection TypeORM does not even know its entities.
      if (!this.dataSource.isInitialized || !this.lookups.isInitialized)
        throw new TenancyUnavailableError('The tenant registry');
      return await work();
    } catch (error) {
      throw orUnavailable('The tenant registry', error);
    }
  }
}

/**
 * The tenants of normalised claims, each in the place of its claim, in one statement. A claim that is `undefined` names
 * nobody.
 */
async function findNamedTenants(
  manager: EntityManager,
  claims: readonly (TenantClaim | undefined)[],
): Promise<(Tenant | undefined)[]> {
  const byName = new Map<string, Tenant>();
  for (const tenant of await readTenants(namedBy(withDomains(manager), claims))) {
    byName.set(`id ${tenant.id}`, tenant).set(`slug ${tenant.slug}`, tenant);
    for (const domain of tenant.domains) byName.set(`domain ${domain}`, tenant);
  }
  return claims.map((claim) => claim && byName.get(`${claim.by} ${claim.value}`));
}

/**
 * Neither an OR over columns of two tables nor an IN over the union: PostgreSQL answers the first always, the second
 * from some hundred names on, by reading every tenant, because it expects that each name is found. It takes an array
 * for short.
 */
function namedBy(
  query: SelectQueryBuilder<TenantEntity>,
  claims: readonly (TenantClaim | undefined)[],
): SelectQueryBuilder<TenantEntity> {
  const named = (by: TenantClaim['by']) =>
    claims.filter((claim) => claim?.by === by).map((claim) => claim!.value);
  const names = { slug: named('slug'), id: named('id'), domain: named('domain') };
  const ids = [
    names.slug.length > 0 &&
      query
        .subQuery()
        .select('bySlug.id')
        .from(TenantEntity, 'bySlug')
        .where('bySlug.slug = ANY(:slugs) AND bySlug.status <> :purged')
        .getQuery(),
    names.id.length > 0 && 'SELECT pg_catalog.unnest(CAST(:ids AS uuid[]))',
    names.domain.length > 0 &&
      query
        .subQuery()
        .select('named.tenantId')
        .from(TenantDomainEntity, 'named')
        .where('named.domain = ANY(:domains)')
        .getQuery(),
  ].filter((part) => part !== false);
  return query.andWhere(`tenant.id = ANY(ARRAY(${ids.join(' UNION ALL ')}))`).setParameters({
    slugs: names.slug,
    ids: names.id,
    domains: names.domain,
  });
}
