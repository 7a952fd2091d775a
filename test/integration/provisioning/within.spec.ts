import { ConflictException } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { fromApiKey, ApiKeys, TenancyAccessModule } from '../../../lib/access';
import { type ProvisionHook, type Tenant, TenantConnection, TenantProvisioner } from '../../../lib';
import { SpareRefill } from '../../../lib/provisioning/spares/spare-refill';
import { rawRequest } from '../../support/raw-request';
import { type ProvisioningApp, startProvisioningApp } from './app';

/** What the options' hook does; each test sets its own. */
const plan: { hook?: ProvisionHook } = {};

describe('What a caller keeps with a new tenant', () => {
  let running: ProvisioningApp;
  const provisioner = () => running.app.get(TenantProvisioner);
  const keys = () => running.app.get(ApiKeys);

  beforeAll(async () => {
    running = await startProvisioningApp(
      {
        resolvers: [fromApiKey()],
        hooks: { onProvision: [(...args) => plan.hook?.(...args)] },
        spares: { count: 1 },
      },
      { imports: [TenancyAccessModule.forRoot()] },
    );
  });
  afterAll(() => running.close());
  afterEach(() => {
    delete plan.hook;
  });

  /** Makes the first key of a tenant, and tells its text. */
  function firstKey() {
    const made: { text?: string } = {};
    const within = async ({ id }: Tenant, manager: EntityManager) => {
      ({ key: made.text } = await keys().create(id, { name: 'first key' }, { manager }));
    };
    return { made, within };
  }

  async function state() {
    await running.app.get(SpareRefill).refill();
    const [counts] = await running.database.query(
      `SELECT (SELECT count(*) FROM tenancy.tenants) AS tenants, (SELECT count(*) FROM tenancy.api_keys) AS keys,
              (SELECT count(*) FROM tenancy.tenant_audit) AS audit`,
    );
    return { counts, schemas: (await running.schemas()).length };
  }

  it.each<[string, (manager: EntityManager) => Promise<void>]>([
    [
      'the answer to COMMIT is lost',
      (manager) => {
        const queryRunner = manager.queryRunner!;
        const commit = queryRunner.commitTransaction.bind(queryRunner);
        queryRunner.commitTransaction = async () => {
          await commit();
          throw Object.assign(new Error('Connection terminated unexpectedly'), { code: 'ECONNRESET' });
        };
        return Promise.resolve();
      },
    ],
    [
      'it is committed by hand, and fails then',
      async (manager) => {
        await manager.query('COMMIT');
        throw new ConflictException();
      },
    ],
  ])('is gone with the tenant when %s', async (_how, fail) => {
    const before = await state();
    const { within } = firstKey();
    const created = provisioner().create(
      { slug: 'lost' },
      {
        within: async (tenant, manager) => {
          await within(tenant, manager);
          await fail(manager);
        },
      },
    );
    await expect(created).rejects.toThrow();
    expect(await state()).toEqual({ ...before, counts: { ...before.counts, audit: expect.anything() } });
  });

  it('is there when the tenant is: its first key opens it, whether it took a spare or was cloned', async () => {
    const before = await state();
    const { made, within } = firstKey();
    const tenant = await provisioner().create({ slug: 'acme' }, { within });
    const copied = firstKey();
    const copy = await provisioner().clone('acme', 'acme-copy', { within: copied.within });
    for (const [text, { id }] of [
      [made.text, tenant],
      [copied.made.text, copy],
    ] as const)
      await expect(
        rawRequest(running.url, '/me', { headers: { 'x-api-key': text! } }),
      ).resolves.toMatchObject({ status: 200, body: { tenantId: id } });
    expect((await state()).schemas).toBe(before.schemas + 2);
  });

  it('comes after the hooks, in their transaction, for the tenant', async () => {
    const order: string[] = [];
    plan.hook = async (_tenant, manager) => {
      await manager.query(`INSERT INTO note (text) VALUES ('hook')`);
      order.push('hook');
    };
    const within: ProvisionHook = async ({ slug }, manager, origin) => {
      order.push(`${slug}: ${origin}`);
      const notes = 'SELECT text FROM note';
      await expect(manager.query(notes)).resolves.toEqual([{ text: 'hook' }]);
      await expect(running.app.get(TenantConnection).query(notes)).resolves.toEqual([{ text: 'hook' }]);
    };
    await provisioner().create({ slug: 'ordered' }, { within });
    expect(order).toEqual(['hook', 'ordered: create']);
  });

  it('leaves nothing of the tenant when it fails, nor of itself, and its error is thrown as it is', async () => {
    const before = await state();
    const taken = new ConflictException('the address is taken');
    for (const error of [taken, new Error('no mail')]) {
      const { within } = firstKey();
      const failing: ProvisionHook = async (tenant, manager) => {
        await within(tenant, manager);
        throw error;
      };
      await expect(provisioner().create({ slug: 'broken' }, { within: failing })).rejects.toBe(error);
    }
    await expect(state()).resolves.toEqual(before);
  });

  it('is refused when it hides the failure of a statement', async () => {
    const before = await state();
    const within: ProvisionHook = (_tenant, manager) => manager.query('SELECT 1/0').catch(() => undefined);
    await expect(provisioner().create({ slug: 'broken' }, { within })).rejects.toMatchObject({
      code: 'PROVISION_HOOK_FAILED',
      hook: 'within',
    });
    await expect(state()).resolves.toEqual(before);
  });

  it('is kept with the tenant or not at all when the process loses PostgreSQL in between', async () => {
    const before = await state();
    const { within } = firstKey();
    const cut: ProvisionHook = async (tenant, manager) => {
      await within(tenant, manager);
      const [{ pid }] = await manager.query('SELECT pg_backend_pid() AS pid');
      await running.database.query('SELECT pg_terminate_backend($1)', [pid]);
    };
    await expect(provisioner().create({ slug: 'broken' }, { within: cut })).rejects.toThrow();
    await expect(state()).resolves.toEqual(before);
  });
});
