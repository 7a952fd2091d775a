import { DataSource, type QueryRunner } from 'typeorm';
import type { NewTenant, TenantUpdate, TenantClaim, TenantQuery } from '../../../lib';
import { TenantStore } from '../../../lib';
import { openRegistry, registryOptions } from '../../../lib/registry/registry';
import type { TenantWriteOptions } from '../../../lib/registry/store/tenant.store';
import { TypeOrmTenantStore } from '../../../lib/registry/store/typeorm-tenant.store';

/** A store in a database of its own, so that no transaction spans it and the tenants' schemas. */
export class StoreElsewhere extends TenantStore {
  private constructor(
    private readonly dataSource: DataSource,
    private readonly inner: TypeOrmTenantStore,
  ) {
    super();
  }

  static async open(url: string): Promise<StoreElsewhere> {
    const dataSource = new DataSource(registryOptions({ url }));
    await openRegistry(dataSource);
    return new StoreElsewhere(dataSource, new TypeOrmTenantStore(dataSource));
  }

  find(claim: TenantClaim) {
    return this.inner.find(claim);
  }
  list(query: TenantQuery) {
    return this.inner.list(query);
  }
  insert(tenant: NewTenant, _transaction?: QueryRunner, options?: Pick<TenantWriteOptions, 'audit'>) {
    return this.inner.insert(tenant, undefined, options);
  }
  update(id: string, changes: TenantUpdate, options?: TenantWriteOptions) {
    return this.inner.update(id, changes, options);
  }
  remove(id: string) {
    return this.inner.remove(id);
  }
  addDomain(id: string, domain: string, options?: TenantWriteOptions) {
    return this.inner.addDomain(id, domain, options);
  }
  removeDomain(id: string, domain: string, options?: TenantWriteOptions) {
    return this.inner.removeDomain(id, domain, options);
  }
  close() {
    return this.dataSource.destroy();
  }
}
