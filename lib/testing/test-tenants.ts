import { randomBytes } from 'node:crypto';
import type { INestApplicationContext } from '@nestjs/common';
import { TenantTransactions } from '../connection/typeorm/tenant-transactions';
import { TenantContext } from '../context/tenant-context';
import type { TenantRequestedBy } from '../provisioning/tenant-input';
import { TenantLifecycle } from '../provisioning/tenant-lifecycle';
import { type CreateTenantOptions, TenantProvisioner } from '../provisioning/tenant-provisioner';
import { TenantPurge } from '../provisioning/purge/tenant-purge';
import type { Tenant } from '../registry/tenant';
import { TestAppNotReadyError } from './testing.errors';

/** How many tenants are purged at once. A purge is many short transactions, each of which waits for PostgreSQL. */
const DROPPED_AT_ONCE = 4;

/** Thrown to roll a transaction back, with the result of the work. */
class RolledBack<T> extends Error {
  constructor(readonly result: T) {
    super('rolled back at the end of the test');
  }
}

/** Tenants for the tests of one application: `testTenants({ app })`. */
export class TestTenants {
  /** The ids of the tenants that were made and not dropped. */
  readonly #made = new Set<string>();

  constructor(private readonly application: INestApplicationContext) {}

  /** @throws TestAppNotReadyError when the application is not initialised */
  private get app(): INestApplicationContext {
    // Nest declares it as protected.
    const { isInitialized } = this.application as { readonly isInitialized?: boolean };
    if (isInitialized === false) throw new TestAppNotReadyError();
    return this.application;
  }

  /**
   * Makes a new active tenant with the structure and the rows of the template. Without a slug it gets a random one, so
   * that parallel workers on one database do not collide. `place` is where it lives, as of `TenantProvisioner.create()`.
   *
   * @throws the errors of `TenantProvisioner.create()`
   */
  async make(
    tenant: Partial<TenantRequestedBy> = {},
    { place }: Pick<CreateTenantOptions, 'place'> = {},
  ): Promise<Tenant> {
    const slug = tenant.slug ?? `test-${randomBytes(8).toString('hex')}`;
    const made = await this.app.get(TenantProvisioner).create({ ...tenant, slug }, { place });
    this.#made.add(made.id);
    return made;
  }

  /** The result of `work`, which runs in the tenant's context. */
  run<T>(tenant: Tenant, work: () => Promise<T>): Promise<T> {
    return this.app.get(TenantContext).run(tenant, work);
  }

  /**
   * The result of `work`, which runs in a transaction that is rolled back at its end. HTTP requests that it sends are
   * not part of the transaction, because they use connections of their own. An error of `work` is passed on.
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

  /**
   * Makes the tenant again, with the same slug, name, domains and metadata, in the same place, and only the template's
   * rows. It gets another id.
   */
  async reset({ id, slug, name, domains, metadata, place }: Tenant): Promise<Tenant> {
    await this.drop(id);
    return this.make({ slug, name, domains: [...domains], metadata }, { place });
  }

  /** Purges a tenant, by its id. It is not an error if the tenant no longer exists. */
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

  /** Purges all tenants that were made here and still exist. */
  async dropAll(): Promise<void> {
    const ids = this.#made.values();
    const dropSome = async () => {
      for (const id of ids) await this.drop(id);
    };
    await Promise.all(Array.from({ length: DROPPED_AT_ONCE }, dropSome));
  }
}

/**
 * Makes tenants for tests, in some tens of milliseconds each. `app` must be initialised: the result of
 * `Test.createTestingModule()` or `NestFactory`, after `init()`.
 */
export function testTenants({ app }: { readonly app: INestApplicationContext }): TestTenants {
  return new TestTenants(app);
}
