import { randomBytes } from 'node:crypto';
import type { INestApplicationContext } from '@nestjs/common';
import { TenantTransactions } from '../connection/typeorm/tenant-transactions';
import { TenantContext } from '../context/tenant-context';
import type { TenantRequestedBy } from '../provisioning/tenant-input';
import { TenantLifecycle } from '../provisioning/tenant-lifecycle';
import { TenantProvisioner } from '../provisioning/tenant-provisioner';
import { TenantPurge } from '../provisioning/purge/tenant-purge';
import type { Tenant } from '../registry/tenant';
import { TestAppNotReadyError } from './testing.errors';

/** A purge is many short transactions, each of which waits for PostgreSQL. */
const DROPPED_AT_ONCE = 4;

/** What a rolled-back transaction is left with. */
class RolledBack<T> extends Error {
  constructor(readonly result: T) {
    super('rolled back at the end of the test');
  }
}

/** Tenants for the tests of one application: `testTenants({ app })`. */
export class TestTenants {
  /** Ids. */
  readonly #made = new Set<string>();

  constructor(private readonly application: INestApplicationContext) {}

  /** @throws TestAppNotReadyError before `init()` */
  private get app(): INestApplicationContext {
    // Nest keeps it from subclasses of others alone.
    const { isInitialized } = this.application as { readonly isInitialized?: boolean };
    if (isInitialized === false) throw new TestAppNotReadyError();
    return this.application;
  }

  /**
   * A new tenant, active, with the structure and the rows of the template. Without a slug it gets a random one, so that
   * parallel workers on one database do not meet.
   *
   * @throws what `TenantProvisioner.create()` throws
   */
  async make(tenant: Partial<TenantRequestedBy> = {}): Promise<Tenant> {
    const slug = tenant.slug ?? `test-${randomBytes(8).toString('hex')}`;
    const made = await this.app.get(TenantProvisioner).create({ ...tenant, slug });
    this.#made.add(made.id);
    return made;
  }

  /** What `work` gives, in the context of the tenant. */
  run<T>(tenant: Tenant, work: () => Promise<T>): Promise<T> {
    return this.app.get(TenantContext).run(tenant, work);
  }

  /**
   * What `work` gives, in a transaction that is rolled back at its end, whatever it did. What it asks over HTTP is not in
   * it: that is another request, with a connection of its own. An error of `work` is passed on.
   */
  async rollBack<T>(tenant: Tenant, work: () => Promise<T>): Promise<T> {
    const transactions = this.app.get(TenantTransactions);
    try {
      return await this.run(tenant, () =>
        transactions.run<never>(async () => {
          throw new RolledBack(await work());
        }),
      );
    } catch (error) {
      if (error instanceof RolledBack) return error.result as T;
      throw error;
    }
  }

  /** The tenant anew, with the same slug, name, domains and metadata, and no rows but the template's. It has another id. */
  async reset({ id, slug, name, domains, metadata }: Tenant): Promise<Tenant> {
    await this.drop(id);
    return this.make({ slug, name, domains: [...domains], metadata });
  }

  /** Purges a tenant, by its id. One that is gone already is no error. */
  async drop(id: string): Promise<void> {
    const lifecycle = this.app.get(TenantLifecycle);
    try {
      await lifecycle.delete(id);
      await this.app.get(TenantPurge).purge(id, { actor: 'test' });
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'TENANT_NOT_FOUND') throw error;
    }
    this.#made.delete(id);
  }

  /** Purges all that were made here and are not gone yet. */
  async dropAll(): Promise<void> {
    const ids = this.#made.values();
    const dropSome = async () => {
      for (const id of ids) await this.drop(id);
    };
    await Promise.all(Array.from({ length: DROPPED_AT_ONCE }, dropSome));
  }
}

/**
 * Makes tenants for tests, some tens of milliseconds each. `app` is initialised: what `Test.createTestingModule()` or
 * `NestFactory` gave, after `init()`.
 */
export function testTenants({ app }: { readonly app: INestApplicationContext }): TestTenants {
  return new TestTenants(app);
}
