import { setImmediate } from 'node:timers/promises';
import { TenantContext } from '../../context/tenant-context';
import type { Tenant } from '../../registry/tenant';
import type { TestTenants } from '../test-tenants';
import { type Check, need, needRefusals, type Pair } from './adapter-check';
import type { TenantAdapter } from './tenant-adapter';

/** How often two tenants take turns. */
const ROUNDS = 10;

export function checksOfWork(
  { app, enter, isDeferred }: TenantAdapter & Required<Pick<TenantAdapter, 'enter'>>,
  tenants: TestTenants,
  { acme, globex }: Pair,
): Check[] {
  const context = app.get(TenantContext);
  /** For whom the work ran, at its beginning and after it has waited. */
  const whose = async (tenant: Tenant): Promise<(string | undefined)[]> => {
    const seen: (string | undefined)[] = [];
    await context.run(tenant, () =>
      enter(async () => {
        seen.push(context.find()?.id);
        await setImmediate();
        seen.push(context.find()?.id);
      }),
    );
    return seen;
  };
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
