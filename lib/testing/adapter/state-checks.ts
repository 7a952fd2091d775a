import { randomUUID } from 'node:crypto';
import { TenantContext } from '../../context/tenant-context';
import { TransitionHooks } from '../../provisioning/hooks/transition-hooks';
import { TenantLifecycle } from '../../provisioning/tenant-lifecycle';
import type { Tenant } from '../../registry/tenant';
import type { TestTenants } from '../test-tenants';
import { type Check, need, needRefusals, type Pair, show } from './adapter-check';
import type { TenantAdapter } from './tenant-adapter';

type StateAdapter = TenantAdapter & Required<Pick<TenantAdapter, 'put' | 'get'>>;

/** What stands between the parts of keys in most stores. A schema that was adopted may have any of them in its name. */
const SEPARATORS = [':', '/', '-', '_', ' ', '#'];

/** How often two tenants write at once. */
const ROUNDS = 10;

/** The state of an adapter, by tenant. */
class State {
  readonly context: TenantContext;

  constructor(readonly adapter: StateAdapter) {
    this.context = adapter.app.get(TenantContext);
  }

  async put(tenant: Tenant, key: string, value: string): Promise<void> {
    await this.context.run(tenant, () => this.adapter.put(key, value));
  }

  /** Whether the adapter takes the key. */
  tryPut(tenant: Tenant, key: string, value: string): Promise<boolean> {
    return this.put(tenant, key, value).then(
      () => true,
      () => false,
    );
  }

  async needValue(tenant: Tenant, key: string, value: string | undefined, what: string): Promise<void> {
    const found = await this.context.run(tenant, async () => this.adapter.get(key));
    need(found === value, `${what}: ${JSON.stringify(key)} is ${show(found)}, not ${show(value)}`);
  }

  /** Nothing, or a refusal to say anything at all. */
  async needNothingAt(tenant: Tenant, key: string, what: string): Promise<void> {
    const value = await this.context.run(tenant, async () => this.adapter.get(key)).catch(() => undefined);
    need(value === undefined, `${what}: ${JSON.stringify(key)} is ${show(value)}`);
  }

  async needNothing(tenant: Tenant, key: string, what: string): Promise<void> {
    await this.needNothingAt(tenant, key, what);
    const keys = await this.list(tenant).catch(() => []);
    need(keys.length === 0, `${what}: it still lists ${show(keys)}`);
  }

  /** Of an adapter that has no list, none. */
  async list(tenant: Tenant): Promise<readonly string[]> {
    return this.context.run(tenant, async () => (await this.adapter.list?.()) ?? []);
  }
}

export function checksOfState(adapter: StateAdapter, tenants: TestTenants, { acme, globex }: Pair): Check[] {
  const state = new State(adapter);
  const { list, clear, app, put, get } = state.adapter;
  const lifecycle = app.get(TenantLifecycle);
  return [
    {
      name: 'equal keys',
      run: async () => {
        const hostile = [`${globex.schemaName}:key`, `../${globex.schemaName}/key`, `${globex.slug}/key`];
        await state.put(acme, 'key', 'of acme');
        await state.put(globex, 'key', 'of globex');
        for (const key of hostile) await state.tryPut(acme, key, 'of acme');
        await state.needValue(acme, 'key', 'of acme', 'two tenants have one key');
        await state.needValue(globex, 'key', 'of globex', 'two tenants have one key');
        for (const key of hostile) await state.needNothingAt(globex, key, 'a key of another tenant');
      },
    },
    {
      name: 'names that begin alike',
      run: async () => {
        for (const separator of SEPARATORS) {
          // As of a schema that was adopted, whose name nobody here has made.
          const longer = { ...acme, id: randomUUID(), schemaName: `${acme.schemaName}${separator}part` };
          const key = `part${separator}key`;
          if (!(await state.tryPut(acme, key, 'of acme'))) continue;
          const before = await state.list(acme);
          if (!(await state.tryPut(longer, 'key', 'of longer'))) continue;
          const what = `the name of one schema is that of another and ${JSON.stringify(`${separator}part`)}`;
          const after = await state.list(acme);
          need(after.length === before.length, `${what}: its list has the key of that one: ${show(after)}`);
          await state.needValue(acme, key, 'of acme', what);
          await state.needValue(longer, 'key', 'of longer', what);
          if (!clear) continue;
          await state.context.run(acme, clear);
          await state.needValue(longer, 'key', 'of longer', `${what}, and that one was cleared`);
        }
      },
    },
    {
      name: 'no tenant',
      run: async () => {
        await needRefusals(state.context, 'put()', () => put('key', 'of nobody'));
        await needRefusals(state.context, 'get()', () => get('key'));
        if (list) await needRefusals(state.context, 'list()', list);
        if (clear) await needRefusals(state.context, 'clear()', clear);
      },
    },
    {
      name: 'two at once',
      run: async () => {
        for (let round = 0; round < ROUNDS; round++) {
          const both = [acme, globex].map(async (tenant) => {
            await state.put(tenant, 'shared', `${tenant.slug} ${round}`);
            await state.needValue(tenant, 'shared', `${tenant.slug} ${round}`, 'two tenants at once');
          });
          for (const outcome of await Promise.allSettled(both))
            if (outcome.status === 'rejected') throw outcome.reason;
        }
      },
    },
    {
      name: 'list',
      run: async () => {
        if (!list) return;
        await state.put(acme, 'of-acme', 'of acme');
        await state.put(globex, 'of-globex', 'of globex');
        const keys = await state.context.run(acme, list);
        need(keys.includes('of-acme'), `the list lacks the tenant's own key: ${show(keys)}`);
        need(!keys.includes('of-globex'), `the list has the key of another tenant: ${show(keys)}`);
      },
    },
    {
      name: 'clear',
      run: async () => {
        if (!clear) return;
        await state.put(acme, 'cleared', 'of acme');
        await state.put(globex, 'cleared', 'of globex');
        await state.context.run(acme, clear);
        await state.needNothing(acme, 'cleared', 'after it was cleared');
        await state.needValue(globex, 'cleared', 'of globex', 'another tenant was cleared');
      },
    },
    {
      name: 'rename',
      run: async () => {
        const before = await tenants.make();
        await state.put(before, 'kept', 'of before');
        const after = await lifecycle.update(before.id, { slug: `${before.slug}-renamed` });
        await state.needValue(after, 'kept', 'of before', 'after its slug was changed');
        const successor = await tenants.make({ slug: before.slug });
        await state.needNothing(successor, 'kept', 'a new tenant has the old slug');
      },
    },
    {
      name: 'delete and restore',
      run: async () => {
        const { id } = await tenants.make();
        await state.put(await lifecycle.get(id), 'restored', 'of before');
        await lifecycle.suspend(id);
        await lifecycle.delete(id);
        await lifecycle.restore(id);
        const restored = await lifecycle.activate(id);
        await state.needValue(restored, 'restored', 'of before', 'after it was deleted and restored');
      },
    },
    {
      name: 'purge',
      run: async () => {
        const gone = await tenants.make();
        const others = [globex];
        for (const separator of SEPARATORS)
          others.push({ ...gone, id: randomUUID(), schemaName: `${gone.schemaName}${separator}part` });
        await state.put(gone, 'purged', 'of gone');
        const kept: Tenant[] = [];
        for (const other of others)
          if (await state.tryPut(other, 'purged', `of ${other.schemaName}`)) kept.push(other);
        // As of a purge that was begun, and whose process was killed.
        await app.get(TransitionHooks).run(await lifecycle.delete(gone.id), 'purge');
        await tenants.drop(gone.id);
        await state.needNothing(gone, 'purged', 'after a purge');
        for (const other of kept)
          await state.needValue(other, 'purged', `of ${other.schemaName}`, 'another tenant was purged');
      },
    },
  ];
}
