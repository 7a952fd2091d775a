import { ConflictException } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { fromApiKey, ApiKeys, TenancyAccessModule } from '../../../lib/access';
import {
  InMemoryTenantStore,
  type ProvisionHook,
  type Tenant,
  TenantConnection,
  TenantProvisioner,
} from '../../../lib';
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
              (SELECT count(*) FROM tenancy.tenant_event_outbox) AS events`,
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
    expect(await state()).toEqual({ ...before, counts: { ...before.counts, events: expect.anything() } });
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

  const cut = async (manager: EntityManager) => {
    const [{ pid }] = await manager.query('SELECT pg_backend_pid() AS pid');
    await running.database.query('SELECT pg_terminate_backend($1)', [pid]);
  };

  it.each<[string, ProvisionHook]>([
    ['at its end', (_tenant, manager) => cut(manager)],
    [
      'and it has heard of it, and goes on',
      async (_tenant, manager) => {
        const client = await manager.queryRunner!.connect();
        const heard = new Promise((resolve) => void client.once('error', resolve));
        await cut(manager);
        await heard;
        await manager.query('SELECT 1');
      },
    ],
    [
      'and a statement of it fails by that',
      async (_tenant, manager) => {
        await cut(manager);
        await manager.query('SELECT 1');
      },
    ],
    [
      'and it throws an error of its own',
      async (_tenant, manager) => {
        await cut(manager);
        throw new ConflictException();
      },
    ],
  ])(
    'is not kept when the connection is lost in it %s, which is told as the outage that it is, of a hook too',
    async (_when, work) => {
      const before = await state();
      const { within } = firstKey();
      const both: ProvisionHook = async (tenant, manager, origin) => {
        await within(tenant, manager);
        await work(tenant, manager, origin);
      };
      const outage = { code: 'TENANCY_UNAVAILABLE' };
      await expect(provisioner().create({ slug: 'broken' }, { within: both })).rejects.toMatchObject(outage);
      plan.hook = both;
      await expect(provisioner().create({ slug: 'broken' })).rejects.toMatchObject(outage);
      delete plan.hook;
      await expect(state()).resolves.toEqual(before);
    },
  );

  it('is no outage when it could not reach something else', async () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const within: ProvisionHook = () => Promise.reject(refused);
    await expect(provisioner().create({ slug: 'broken' }, { within })).rejects.toBe(refused);
    plan.hook = within;
    await expect(provisioner().create({ slug: 'broken' })).rejects.toMatchObject({
      code: 'PROVISION_HOOK_FAILED',
    });
  });

  describe('when it ends the transaction by itself, and goes on', () => {
    const rows = async () => {
      const found = await running.database.query<{ text: string }>(
        'SELECT text FROM public.sign_up ORDER BY 1',
      );
      return found.map(({ text }) => text);
    };
    beforeAll(() => running.database.query('CREATE TABLE public.sign_up (text text)'));
    afterEach(() => running.database.query('DELETE FROM public.sign_up'));

    it.each<[string, string[], string[]]>([
      ['COMMIT', ['COMMIT'], ['after', 'before']],
      ['COMMIT and BEGIN', ['COMMIT', 'BEGIN'], ['before']],
      ['COMMIT AND CHAIN', ['COMMIT AND CHAIN'], ['before']],
      ['ROLLBACK', ['ROLLBACK'], ['after']],
      ['COMMIT, BEGIN and a statement that fails', ['COMMIT', 'BEGIN', 'SELECT 1/0'], ['before']],
    ])(
      'with %s: no tenant is left, and no key, and the error does not say that nothing was kept',
      async (_what, commands, kept) => {
        const before = await state();
        const { within } = firstKey();
        const ending: ProvisionHook = async (tenant, manager) => {
          await manager.query(`INSERT INTO public.sign_up VALUES ('before')`);
          for (const command of commands) await manager.query(command).catch(() => undefined);
          await manager.query(`INSERT INTO public.sign_up VALUES ('after')`).catch(() => undefined);
          await within(tenant, manager).catch(() => undefined);
        };
        const created = provisioner().create({ slug: 'halves' }, { within: ending });
        await expect(created).rejects.toMatchObject({
          code: 'PROVISION_HOOK_FAILED',
          hook: 'within',
          message: expect.stringMatching(
            /it ended the transaction that it was given, so .* may be committed/,
          ),
        });
        await expect(created).rejects.not.toThrow('nothing of it was kept');
        await expect(rows()).resolves.toEqual(kept);
        expect(await state()).toEqual({ ...before, counts: { ...before.counts, events: expect.anything() } });
      },
    );

    it('and fails then: its error is thrown as it is, and what may be left is logged', async () => {
      const taken = new ConflictException('the address is taken');
      const within: ProvisionHook = async (_tenant, manager) => {
        await manager.query('COMMIT');
        throw taken;
      };
      await expect(provisioner().create({ slug: 'halves' }, { within })).rejects.toBe(taken);
      expect(running.log.errors).toContainEqual(
        expect.stringMatching(/it ended the transaction .* failed afterwards: the address is taken/),
      );
    });
  });
});

describe('A tenant that cannot be made, and whose row cannot be removed either', () => {
  it('is told of as what it is: there is something to look for', async () => {
    class Stuck extends InMemoryTenantStore {
      override remove(): Promise<void> {
        return Promise.reject(new Error('read only'));
      }
    }
    const running = await startProvisioningApp({
      store: new Stuck(),
      hooks: { onProvision: [() => Promise.reject(new Error('no bucket'))] },
    });
    await expect(running.create({ slug: 'broken' })).rejects.toMatchObject({
      code: 'PROVISIONING_FAILED',
      message: expect.stringMatching(/no bucket.*could not be removed \(read only\): look for its row \(/),
    });
    await running.close();
  });
});
