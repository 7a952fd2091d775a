import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { isOutage } from '../common/outage';
import { TenancyUnavailableError } from '../common/tenancy.errors';
import { normalizeClaim } from './claim';
import { findTenant, findTenants } from './tenant-queries';
import {
  addDomain,
  deleteTenant,
  insertTenant,
  lockTenant,
  removeDomain,
  updateTenant,
} from './tenant-writes';
import { TenantStore } from './tenant.store';
import type { NewTenant, TenantChanges, TenantQuery } from './tenant.store';
import type { Tenant, TenantClaim, TenantStatus } from './tenant';
import { isUuid } from './uuid';

/**
 * Keeps tenants in the registry's tables, over a DataSource made of `registryOptions` and opened by `openRegistry`.
 * All of its SQL names the registry's schema, so it means the same on whatever connection it runs.
 */
export class TypeOrmTenantStore extends TenantStore {
  constructor(private readonly dataSource: DataSource) {
    super();
  }

  async find(claim: TenantClaim): Promise<Tenant | undefined> {
    const normalized = normalizeClaim(claim);
    return normalized && this.answer(() => findTenant(this.dataSource.manager, normalized));
  }

  async list(query: TenantQuery): Promise<Tenant[]> {
    // No text in PostgreSQL holds a NUL, and it refuses even to look for one.
    if (query.search?.includes('\0')) return [];
    return this.answer(() => findTenants(this.dataSource.manager, query));
  }

  /** `transaction` must be open, and of the database that holds the registry. */
  async insert(tenant: NewTenant, transaction?: QueryRunner): Promise<Tenant> {
    const work = async (manager: EntityManager) => {
      await insertTenant(manager, tenant);
      return (await findTenant(manager, { by: 'id', value: tenant.id }))!;
    };
    return transaction
      ? this.answer(() => work(this.dataSource.createEntityManager(transaction)))
      : this.write(work);
  }

  async update(
    id: string,
    changes: TenantChanges,
    expectedStatus?: readonly TenantStatus[],
  ): Promise<Tenant | undefined> {
    return this.change(id, (manager) => updateTenant(manager, id, changes, expectedStatus));
  }

  async remove(id: string): Promise<void> {
    if (isUuid(id)) await this.write((manager) => deleteTenant(manager, id));
  }

  async addDomain(id: string, domain: string): Promise<Tenant | undefined> {
    return this.change(id, async (manager) => {
      if (!(await lockTenant(manager, id))) return false;
      await addDomain(manager, id, domain);
      return true;
    });
  }

  async removeDomain(id: string, domain: string): Promise<Tenant | undefined> {
    return this.change(id, async (manager) => {
      if (!(await lockTenant(manager, id))) return false;
      await removeDomain(manager, id, domain);
      return true;
    });
  }

  /** The tenant as `work` left it; `undefined` when `work` says that there was none to change. */
  private async change(
    id: string,
    work: (manager: EntityManager) => Promise<boolean>,
  ): Promise<Tenant | undefined> {
    if (!isUuid(id)) return undefined;
    return this.write(async (manager) => {
      return (await work(manager)) ? findTenant(manager, { by: 'id', value: id }) : undefined;
    });
  }

  /** Explicitly READ COMMITTED: a stricter default of the database would make errors of lost races. */
  private write<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.answer(() => this.dataSource.transaction('READ COMMITTED', work));
  }

  private async answer<T>(work: () => Promise<T>): Promise<T> {
    try {
      // Before its first connection TypeORM does not even know its entities.
      if (!this.dataSource.isInitialized) throw new TenancyUnavailableError('The tenant registry');
      return await work();
    } catch (error) {
      throw isOutage(error) ? new TenancyUnavailableError('The tenant registry', { cause: error }) : error;
    }
  }
}
