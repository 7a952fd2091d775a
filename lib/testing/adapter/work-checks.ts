import { setImmediate, setTimeout } from 'node:timers/promises';
import { TenantContext } from '../../context/tenant-context';
import { TenantLifecycle } from '../../provisioning/tenant-lifecycle';
import type { Tenant } from '../../registry/tenant';
import type { TestTenants } from '../test-tenants';
import { type Check, need, needRefusals, type Pair } from './adapter-check';
import type { TenantAdapter } from './tenant-adapter';

/** How often two tenants take turns. */
const ROUNDS = 10;

/** How long to look whether work is run that must wait. */
const LOOK_MS = 500;

/** How long work that has waited may still take, before its tenant is purged. */
const END_MS = 10_000;

export function checksOfWork(
  { app, enter, isDeferred }: TenantAdapter & Required<Pick<TenantAdapter, 'enter'>>,
  tenants: TestTenants,
  { acme, globex }: Pair,
): Check[] {
  const context = app.get(TenantContext);
  /** For whom the work ran, at its beginning and after it has waited. */
  const whose = async (tenant: Tenant, onRun = (): unknown => undefined): Promise<(string | undefined)[]> => {
    const seen: (string | undefined)[] = [];
    await context.run(tenant, () =>
      enter(async () => {
        onRun();
        seen.push(context.find()?.id);
        await setImmediate();
        seen.push(context.find()?.id);
      }),
    );
    return seen;
  };
  const lifecycle = app.get(TenantLifecycle);
  const needOwn = async (tenant: Tenant, what: string): Promise<void> => {
    const seen = await whose(tenant);
    need(seen.length > 0, `${what}: it was said to be done, and was not run`);
    for (const id of seen)
      need(id === tenant.id, `${what}: it ran for ${id ?? 'no tenant'}, not ${tenant.id}`);
  };
  return [
    {
      name: 'context of work',
      run: () =>
        context.run(globex, async () => {
          const work = needOwn(acme, 'one piece of work');
          const now = context.find()?.id;
          await work;
          need(now === globex.id && context.find()?.id === globex.id, 'the caller lost its own tenant');
        }),
    },
    {
      name: 'work of two at once',
      run: async () => {
        const all = Array.from({ length: ROUNDS }, (_, index) =>
          needOwn(index % 2 === 0 ? acme : globex, 'work of two tenants at once'),
        );
        for (const outcome of await Promise.allSettled(all))
          if (outcome.status === 'rejected') throw outcome.reason;
      },
    },
    {
      name: 'work without a tenant',
      run: () => needRefusals(context, 'enter()', () => enter(() => Promise.resolve())),
    },
    {
      name: 'work after a rename',
      run: async () => {
        if (!isDeferred) return;
        const before = await tenants.make();
        const slug = `${before.slug}-renamed`;
        await lifecycle.update(before.id, { slug });
        await tenants.make({ slug: before.slug });
        await needOwn(before, 'after its slug was changed, and given to another tenant');
        let seen: string | undefined;
        await context.run(before, () => enter(() => Promise.resolve(void (seen = context.tenant().slug))));
        need(seen === slug, `the tenant is told as it was when the work was handed over, as "${seen}"`);
      },
    },
    {
      name: 'work of a suspended tenant',
      run: async () => {
        if (!isDeferred) return;
        const held = await tenants.make();
        await lifecycle.suspend(held.id);
        let isRun = false;
        const handed = Promise.resolve(whose(held, () => (isRun = true))).catch(() => undefined);
        await Promise.race([handed, setTimeout(LOOK_MS)]);
        need(!isRun, 'it was run for a tenant that is suspended');
        await lifecycle.activate(held.id);
        await Promise.race([handed, setTimeout(END_MS, undefined, { ref: false })]);
      },
    },
    {
      name: 'work after a purge',
      run: async () => {
        if (!isDeferred) return;
        const gone = await tenants.make();
        await tenants.drop(gone.id);
        const seen = await whose(gone).catch(() => []);
        need(seen.length === 0, 'it was run for a tenant that is purged');
      },
    },
  ];
}
