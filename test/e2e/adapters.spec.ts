import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type AdapterFinding, checkTenantAdapter, type TenantAdapter } from '../../lib/testing';
import {
  type CopiedTenant,
  TenancyModule,
  type Tenant,
  TenantContext,
  TenantExport,
  TenantImport,
  TenantLifecycle,
  TenantLookup,
  TenantProvisioner,
  type TenantStep,
} from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { notesOptions } from '../support/notes';
import { startTestApp, type TestApp } from '../support/test-app';

describe('docs/adapters.md', () => {
  let database: TestDatabase;
  let examples: Examples;
  let running: TestApp;
  let context: TenantContext;
  const copies: (CopiedTenant | undefined)[] = [];
  const transitions: ((tenant: Tenant, step: TenantStep) => void)[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    examples = writeExamples('docs/adapters.md');
    const { Drafts } = await examples.import('drafts.ts');
    const { DraftsTransfer } = await examples.import('drafts-transfer.ts');
    const onProvision = [
      (_tenant: Tenant, _manager: unknown, _origin: unknown, copied?: CopiedTenant) => copies.push(copied),
    ];
    const onTransition = [
      (tenant: Tenant, step: TenantStep) => transitions.forEach((each) => each(tenant, step)),
    ];
    running = await startTestApp({
      imports: [TenancyModule.forRoot(notesOptions(database, { hooks: { onProvision, onTransition } }))],
      providers: [Drafts, DraftsTransfer],
    });
    context = running.app.get(TenantContext);
  });
  afterAll(async () => {
    await running?.close();
    await database.drop();
    examples.remove();
  });

  const namesOf = (findings: AdapterFinding[]) => findings.map(({ check }) => check);
  const check = (adapter: Omit<TenantAdapter, 'app'>) => checkTenantAdapter({ app: running.app, ...adapter });

  it('has an adapter that keeps its contract', async () => {
    const { checkDrafts } = await examples.import('check-drafts.ts');
    expect(await checkDrafts(running.app)).toEqual([]);
  });

  it('and takes its state along when a tenant is exported and imported', async () => {
    const { Drafts } = await examples.import('drafts.ts');
    const drafts = running.app.get(Drafts);
    const tenant = await running.create({ slug: 'exported' });
    await context.run(tenant, () => drafts.save('menu', 'tea'));
    const sink = new PassThrough();
    const [bytes] = await Promise.all([buffer(sink), running.app.get(TenantExport).export('exported', sink)]);
    const importing = (slug: string, source: Buffer) =>
      running.app.get(TenantImport).import(Readable.from([source], { objectMode: false }), { slug });
    const { tenant: copy, items } = await importing('imported', bytes);
    expect(items).toEqual({ drafts: { items: 1, bytes: 3 } });
    expect(await context.run(copy, () => drafts.find('menu'))).toBe('tea');

    const saved: Tenant[] = [];
    const save = jest.spyOn(drafts, 'save').mockImplementation(() => {
      saved.push(context.tenant());
      return Promise.reject(new Error('full'));
    });
    const forgotten = jest.spyOn(drafts, 'onTransition');
    await expect(importing('never', bytes)).rejects.toThrow('full');
    expect(forgotten.mock.calls).toEqual([[expect.objectContaining({ id: saved[0].id }), 'purge']]);
    save.mockRestore();
  });

  it('and lets later work wait for a suspended tenant', async () => {
    const { Drafts } = await examples.import('drafts.ts');
    const drafts = running.app.get(Drafts);
    const { id } = await running.create({ slug: 'acme' });
    const lifecycle = running.app.get(TenantLifecycle);
    const reminder = context.run(await lifecycle.get(id), () => drafts.remindOf('tea'));
    const sent: string[] = [];
    const remind = () => drafts.remind(reminder, (draft: string) => Promise.resolve(void sent.push(draft)));
    await lifecycle.suspend(id);
    expect([await remind(), sent]).toEqual(['wait', []]);
    await lifecycle.activate(id);
    expect([await remind(), sent]).toEqual(['done', ['tea']]);
  });

  it('gives hooks the tenant that a clone is a copy of, and whether it was masked', async () => {
    const original = await running.create({ slug: 'original' });
    const provisioner = running.app.get(TenantProvisioner);
    copies.length = 0;
    await provisioner.create({ slug: 'new' });
    await provisioner.clone('original', 'copy');
    await provisioner.clone('original', 'masked', { mask: { note: { text: "'masked'" } } });
    expect(copies.map((copied) => copied && [copied.from.id, copied.isMasked])).toEqual([
      undefined,
      [original.id, false],
      [original.id, true],
    ]);
  });

  describe('its check finds', () => {
    const map = () => new Map<string, string>();

    /** What `work` gives, while `remove` is called at these steps. */
    async function removing<T>(
      remove: (tenant: Tenant) => void,
      steps: TenantStep[],
      work: () => Promise<T>,
    ) {
      transitions.push((tenant, step) => (steps.includes(step) ? remove(tenant) : undefined));
      return work().finally(() => transitions.pop());
    }

    it('one place for all', async () => {
      const values = map();
      const found = await check({
        put: (key, value) => values.set(key, value),
        get: (key) => values.get(key),
        list: () => [...values.keys()],
        clear: () => values.clear(),
      });
      const all = ['equal keys', 'names that begin alike', 'no tenant', 'two at once'];
      expect(namesOf(found)).toEqual([...all, 'list', 'clear', 'rename', 'purge']);
      expect(found[0].finding).toContain('two tenants have one key: "key" is "of globex", not "of acme"');
    });

    it('keys by the slug, and state that a purge leaves', async () => {
      const values = map();
      const keyOf = (key: string) => `${context.tenant().slug}/${key}`;
      const found = await check({
        put: (key, value) => values.set(keyOf(key), value),
        get: (key) => values.get(keyOf(key)),
      });
      expect(namesOf(found)).toEqual(expect.arrayContaining(['rename', 'purge']));
      expect(found.find((each) => each.check === 'rename')?.finding).toContain('after its slug was changed');
    });

    it('keys whose parts cannot be told apart, and a clear() that goes by how they begin', async () => {
      const values = map();
      const keyOf = (key: string) => `${context.tenant().schemaName}:${key}`;
      const state = {
        put: (key: string, value: string) => values.set(keyOf(key), value),
        get: (key: string) => values.get(keyOf(key)),
      };
      expect(namesOf(await check(state))).toEqual(['names that begin alike', 'purge']);
      const apart = (key: string) => JSON.stringify([context.tenant().schemaName, key]);
      const found = await check({
        put: (key, value) => values.set(apart(key), value),
        get: (key) => values.get(apart(key)),
        clear: () => {
          const prefix = `["${context.tenant().schemaName}`;
          for (const key of values.keys()) if (key.startsWith(prefix)) values.delete(key);
        },
      });
      expect(found[0]).toMatchObject({
        check: 'names that begin alike',
        finding: expect.stringContaining('that one was cleared'),
      });
    });

    it('the tenant of whoever came last, and work that is done for nobody', async () => {
      let last: Tenant | undefined;
      const found = await check({
        isDeferred: true,
        enter: async (work) => {
          last = context.find();
          await Promise.resolve();
          await (last ? context.run(last, work) : work());
        },
      });
      const later = ['work after a rename', 'work of a suspended tenant', 'work after a purge'];
      expect(namesOf(found)).toEqual(['work of two at once', 'work without a tenant', ...later]);
    });

    it('what goes by the beginning of a name, and what removes before it must', async () => {
      const values = map();
      const partOf = () => JSON.stringify(context.tenant().schemaName).slice(0, -1);
      const apart = (key: string) => JSON.stringify([context.tenant().schemaName, key]);
      const beginning = (prefix: string) => [...values.keys()].filter((key) => key.startsWith(`[${prefix}`));
      const remove = (tenant: Tenant) =>
        context.run(tenant, () => beginning(partOf()).forEach((key) => values.delete(key)));
      const state = {
        put: (key: string, value: string) => values.set(apart(key), value),
        get: (key: string) => values.get(apart(key)),
      };
      const found = await removing(remove, ['delete', 'purge'], () =>
        check({ ...state, list: () => beginning(partOf()) }),
      );
      expect(namesOf(found)).toEqual(['names that begin alike', 'list', 'delete and restore', 'purge']);
      expect(found[0].finding).toContain('its list has the key of that one');
      expect(found.at(-1)?.finding).toContain('another tenant was purged');
    });

    it('a purge that cannot be gone on with', async () => {
      const values = map();
      const keyOf = (key: string) => JSON.stringify([context.tenant().schemaName, key]);
      const purged = new Set<string>();
      const removeOnce = (tenant: Tenant) => {
        if (purged.has(tenant.id)) throw new Error('nothing to remove');
        purged.add(tenant.id);
        context.run(tenant, () => values.delete(keyOf('purged')));
      };
      const found = await removing(removeOnce, ['purge'], () =>
        check({ put: (key, value) => values.set(keyOf(key), value), get: (key) => values.get(keyOf(key)) }),
      );
      expect(found).toEqual([{ check: 'purge', finding: expect.stringContaining('nothing to remove') }]);
    });

    it('work for whoever has the slug now, and for a tenant as it was', async () => {
      const lookup = running.app.get(TenantLookup);
      const later = (find: (tenant: Tenant) => Promise<Tenant | undefined>) => ({
        isDeferred: true,
        enter: async (work: () => Promise<void>) => {
          const tenant = await find(context.tenant());
          if (!tenant) throw new Error('gone');
          await context.run(tenant, work);
        },
      });
      const bySlug = await check(later(({ slug }) => lookup.find({ by: 'slug', value: slug })));
      expect(namesOf(bySlug)).toEqual(['work after a rename', 'work of a suspended tenant']);
      expect(bySlug[0].finding).toContain('it ran for');
      const whole = await check(
        later(async (tenant) => ((await lookup.find({ by: 'id', value: tenant.id })) ? tenant : undefined)),
      );
      expect(namesOf(whole)).toEqual(['work after a rename', 'work of a suspended tenant']);
      expect(whole[0].finding).toContain('as it was');
    });

    it('work outside of its context, and work that is not done', async () => {
      const bare = await check({ enter: (work) => context.runInFrame(undefined, work) });
      expect(namesOf(bare)).toEqual(['context of work', 'work of two at once', 'work without a tenant']);
      const lazy = await check({ enter: () => context.tenant() });
      expect(namesOf(lazy)).toEqual(['context of work', 'work of two at once']);
    });

    it('an error of the adapter, in its words', async () => {
      const away = () => Promise.reject(new Error('the store is away'));
      const found = await check({ put: away, get: away });
      expect(found).toContainEqual({ check: 'equal keys', finding: 'it failed: the store is away' });
      expect(found).toContainEqual({
        check: 'no tenant',
        finding: expect.stringContaining('failed with Error: the store is away, not TENANT_REQUIRED'),
      });
    });
  });

  it('has nothing to check where there is neither state nor work', async () => {
    await expect(check({ get: () => undefined })).rejects.toThrow(TypeError);
  });
});
