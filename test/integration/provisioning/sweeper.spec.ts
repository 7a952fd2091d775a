import { Client } from 'pg';
import {
  type SweepReport,
  type Tenant,
  TenantLifecycle,
  TenantPurge,
  TenantStore,
  TenantSweeper,
} from '../../../lib';
import { checkStore } from '../../../lib/cli/doctor/store-check';
import { CLOCK, type Clock } from '../../../lib/common/clock';
import { Orphans } from '../../../lib/provisioning/purge/orphans';
import { InMemoryTenantStore } from '../../../lib/registry/store/in-memory-tenant.store';
import { generateSchemaName } from '../../../lib/registry/schema-name';
import { Global, Module } from '@nestjs/common';
import { resetClock, setClock } from '../../support/set-clock';
import { type ProvisioningApp, startAppOn, startProvisioningApp } from './app';

const NOTHING: SweepReport = {
  purged: [],
  halfMade: { activated: [], removed: [] },
  orphans: { dropped: [], withRows: [], unmarked: [], kept: [] },
  problems: [],
};
const NEVER = { intervalMs: 0 };

describe('the sweeper', () => {
  let running: ProvisioningApp;
  afterEach(async () => {
    resetClock();
    await running.close();
  });

  const sweep = () => running.app.get(TenantSweeper).sweep();
  const sql = (text: string, values?: unknown[]) => running.database.query(text, values);

  /** As schemas are that this registry has made. */
  async function mark(...names: string[]): Promise<void> {
    const [{ id }] = await running.database.query<{ id: string }>('SELECT id FROM tenancy.registry_identity');
    for (const name of names) await sql(`COMMENT ON SCHEMA ${name} IS 'tenant forgotten; registry ${id}'`);
  }

  async function deleted(slug: string): Promise<Tenant> {
    await running.create({ slug });
    return running.app.get(TenantLifecycle).delete(slug);
  }

  it('purges deleted tenants after the time of grace, and nobody else', async () => {
    running = await startProvisioningApp({ sweeper: { ...NEVER, purgeAfterMs: 60_000 } });
    const old = await deleted('old');
    await deleted('young');
    await running.create({ slug: 'active' });
    await running.create({ slug: 'suspended' });
    await running.app.get(TenantLifecycle).suspend('suspended');
    await sql(`UPDATE tenancy.tenants SET updated_at = now() - interval '61 seconds' WHERE slug <> 'young'`);
    await expect(sweep()).resolves.toEqual({ ...NOTHING, purged: ['old'] });
    await expect(running.schemas()).resolves.not.toContain(old.schemaName);
    await expect(sql('SELECT purged_by FROM tenancy.purges')).resolves.toEqual([{ purged_by: 'sweeper' }]);
    await expect(running.app.get(TenantStore).list({ limit: 9 })).resolves.toHaveLength(3);
    await expect(sweep()).resolves.toEqual(NOTHING);
  });

  it.each<[string, number, TenantStore | undefined]>([
    ['a month ahead', 31 * 86_400_000, undefined],
    ['a month ahead, with a store elsewhere', 31 * 86_400_000, new InMemoryTenantStore()],
    ['a month back, with a store elsewhere', -31 * 86_400_000, new InMemoryTenantStore()],
  ])('purges nobody too early when the clock of the instance is %s', async (_case, ahead, store) => {
    running = await startProvisioningApp({ store, sweeper: { ...NEVER, purgeAfterMs: 30 * 86_400_000 } });
    if (ahead < 0) setClock(ahead);
    await deleted('acme');
    if (ahead > 0) setClock(ahead);
    await expect(sweep()).resolves.toEqual(NOTHING);
    await expect(running.app.get(TenantLifecycle).restore('acme')).resolves.toMatchObject({
      status: 'active',
    });
  });

  it('purges at once, without a time of grace, what was deleted within the same millisecond', async () => {
    running = await startProvisioningApp({ sweeper: { ...NEVER, purgeAfterMs: 0 } });
    for (let i = 0; i < 15; i++) {
      await deleted(`shop-${i}`);
      await expect(sweep()).resolves.toEqual({ ...NOTHING, purged: [`shop-${i}`] });
    }
  });

  it('lets the time of grace of a tenant begin anew that was restored and deleted again meanwhile', async () => {
    running = await startProvisioningApp({ sweeper: { ...NEVER, purgeAfterMs: 60_000 } });
    await deleted('acme');
    await sql(`UPDATE tenancy.tenants SET updated_at = now() - interval '61 seconds'`);
    const store = running.app.get(TenantStore);
    const list = store.list.bind(store);
    jest.spyOn(store, 'list').mockImplementation(async (query) => {
      const page = await list(query);
      if (query.status !== 'deleted') return page;
      const lifecycle = running.app.get(TenantLifecycle);
      await lifecycle.restore('acme');
      await lifecycle.delete('acme');
      return page;
    });
    await expect(sweep()).resolves.toEqual(NOTHING);
  });

  it('purges nobody unless it is told when', async () => {
    running = await startProvisioningApp({ sweeper: NEVER });
    await deleted('old');
    await sql(`UPDATE tenancy.tenants SET updated_at = '2001-01-01'`);
    await expect(sweep()).resolves.toEqual(NOTHING);
  });

  it('brings a purge to its end that was held up', async () => {
    running = await startProvisioningApp({ sweeper: NEVER });
    const { schemaName } = await deleted('acme');
    const holder = new Client({ connectionString: running.database.url });
    await holder.connect();
    await holder.query(`BEGIN; SELECT FROM ${schemaName}.note`);
    await expect(running.app.get(TenantPurge).purge('acme')).rejects.toMatchObject({ code: 'PURGE_BLOCKED' });
    await holder.end();
    await expect(sweep()).resolves.toEqual({ ...NOTHING, purged: ['acme'] });
    await expect(running.schemas()).resolves.toEqual([]);
  });

  it('drops empty schemas of nobody, later, and keeps those with rows and those of other names', async () => {
    running = await startProvisioningApp({
      sweeper: { ...NEVER, orphanAfterMs: 60_000 },
      spares: { count: 1 },
    });
    const tenant = await running.create({ slug: 'acme' });
    const [empty, full] = [generateSchemaName(), generateSchemaName()].sort();
    await sql(`CREATE SCHEMA ${empty}; CREATE TABLE ${empty}.note (id int)`);
    await sql(`CREATE SCHEMA ${full}; CREATE TABLE ${full}.note AS SELECT 1 AS id`);
    await mark(empty, full);
    for (const name of [
      't_short',
      't_',
      'T_AAAAAAAAAAAAAAAAAAAA',
      'x_aaaaaaaaaaaaaaaaaaaa',
      't_aaaaaaaaaaaaaaaaaaaaa',
    ])
      await sql(`CREATE SCHEMA "${name}"`);
    const before = (await sql('SELECT nspname FROM pg_namespace ORDER BY 1')).map(({ nspname }) => nspname);
    await expect(sweep()).resolves.toEqual(NOTHING);
    await sql(`UPDATE tenancy.orphans SET first_seen_at = now() - interval '61 seconds'`);
    await expect(sweep()).resolves.toEqual({
      ...NOTHING,
      orphans: { ...NOTHING.orphans, dropped: [empty], withRows: [full] },
    });
    const after = (await sql('SELECT nspname FROM pg_namespace ORDER BY 1')).map(({ nspname }) => nspname);
    expect(before.filter((name) => !after.includes(name))).toEqual([empty]);
    expect(after).toEqual(expect.arrayContaining([tenant.schemaName, full]));
  });

  it('drops no schema that a store elsewhere has forgotten, and doctor names it', async () => {
    const store = new InMemoryTenantStore();
    running = await startProvisioningApp({ store, sweeper: { ...NEVER, orphanAfterMs: 0 } });
    const [{ id, schemaName }] = [
      await running.create({ slug: 'acme' }),
      await running.create({ slug: 'b' }),
    ];
    const check = () => checkStore(running.app.get(Orphans), ['default']);
    await expect(check()).resolves.toEqual([expect.objectContaining({ severity: 'ok' })]);
    await store.remove(id);
    await expect(sweep()).resolves.toEqual({
      ...NOTHING,
      orphans: { ...NOTHING.orphans, kept: [schemaName] },
    });
    await expect(running.schemas()).resolves.toContain(schemaName);
    await expect(check()).resolves.toEqual([
      expect.objectContaining({ severity: 'problem', message: expect.stringContaining(schemaName) }),
    ]);
  });

  it('forgets an orphan that has found a tenant', async () => {
    running = await startProvisioningApp({ sweeper: { ...NEVER, orphanAfterMs: 60_000 } });
    const name = generateSchemaName();
    await sql(`CREATE SCHEMA ${name}`);
    await mark(name);
    await sweep();
    await expect(sql('SELECT schema_name FROM tenancy.orphans')).resolves.toEqual([{ schema_name: name }]);
    await running.app.get(TenantStore).insert({
      id: '01900000-0000-7000-8000-000000000001',
      slug: 'acme',
      name: 'acme',
      schemaName: name,
      status: 'active',
      domains: [],
      metadata: {},
      templateVersion: null,
      schemaVersion: null,
    });
    await sql(`UPDATE tenancy.orphans SET first_seen_at = '2001-01-01'`);
    await expect(sweep()).resolves.toEqual(NOTHING);
    await expect(sql('SELECT schema_name FROM tenancy.orphans')).resolves.toEqual([]);
  });

  it('never touches a creation under way, however impatient', async () => {
    let finish = () => {};
    const started = new Promise<void>((resolve) => {
      const go = new Promise<void>((resume) => (finish = resume));
      void startProvisioningApp({
        store: new InMemoryTenantStore(),
        sweeper: { ...NEVER, orphanAfterMs: 0 },
        hooks: {
          onProvision: [
            () => {
              resolve();
              return go;
            },
          ],
        },
      }).then((app) => {
        running = app;
        creation = app.create({ slug: 'acme' });
      });
    });
    let creation: Promise<Tenant> | undefined;
    await started;
    // It does not wait for the creation, which may take longer than from one sweep to the next.
    const report = await sweep();
    finish();
    await expect(creation).resolves.toMatchObject({ status: 'active' });
    expect(report).toMatchObject({ halfMade: { removed: [] }, orphans: { dropped: [] } });
    await expect(running.app.get(TenantStore).list({ limit: 9 })).resolves.toMatchObject([
      { status: 'active' },
    ]);
    await expect(running.schemas()).resolves.toHaveLength(1);
  });

  it('settles rows of an outside store whose creation was cut off: with a schema active, without one gone', async () => {
    const store = new InMemoryTenantStore();
    running = await startProvisioningApp({ store, sweeper: NEVER });
    const complete = await running.create({ slug: 'complete' });
    await store.update(complete.id, { status: 'provisioning' });
    await sql('CREATE SCHEMA legacy');
    for (const [i, schemaName] of [generateSchemaName(), 'legacy'].entries()) {
      await store.insert({
        ...complete,
        id: `01900000-0000-7000-8000-00000000000${i}`,
        slug: `cut-${i}`,
        schemaName,
        status: 'provisioning',
      });
    }
    await expect(sweep()).resolves.toEqual({
      ...NOTHING,
      halfMade: { activated: ['complete'], removed: ['cut-0', 'cut-1'] },
    });
    await expect(store.list({ limit: 9 })).resolves.toMatchObject([{ slug: 'complete', status: 'active' }]);
    await expect(sql(`SELECT FROM pg_namespace WHERE nspname = 'legacy'`)).resolves.toHaveLength(1);
  });

  it('settles the others when one cannot be settled, and tells of it when the list breaks off', async () => {
    const store = new InMemoryTenantStore();
    running = await startProvisioningApp({ store, sweeper: NEVER });
    const tenant = await running.create({ slug: 'acme' });
    for (let i = 0; i < 100; i++) {
      const id = `01900000-0000-7000-8000-000000000${100 + i}`;
      const schemaName = generateSchemaName();
      await store.insert({ ...tenant, id, slug: `cut-${i}`, schemaName, status: 'provisioning' });
    }
    const [remove, list] = [store.remove.bind(store), store.list.bind(store)];
    jest.spyOn(store, 'remove').mockImplementation((id) => {
      return id.endsWith('105') ? Promise.reject(new Error('no answer')) : remove(id);
    });
    jest.spyOn(store, 'list').mockImplementation((query) => {
      const isNext = query?.status === 'provisioning' && query.afterId !== undefined;
      return isNext ? Promise.reject(new Error('no other page')) : list(query);
    });
    const { halfMade, problems } = await sweep();
    expect(halfMade.removed).toHaveLength(99);
    expect(problems).toEqual([
      'The sweeper could not settle the half-made tenant "cut-5": no answer',
      'The sweeper could not read on the list of half-made tenants: no other page',
    ]);
  });

  it('goes on after a failure, and tells of it', async () => {
    running = await startProvisioningApp({ sweeper: { ...NEVER, purgeAfterMs: 0 } });
    const stuck = await deleted('stuck');
    await deleted('free');
    await sql(`CREATE VIEW public.outside AS SELECT * FROM ${stuck.schemaName}.note`);
    const report = await sweep();
    expect(report.purged).toEqual(['free']);
    expect(report.problems).toEqual([
      expect.stringMatching(/could not purge .*: The tenant "stuck" .*public\.outside|view outside/),
    ]);
  });

  it('of several instances at once does nothing twice', async () => {
    running = await startProvisioningApp({ sweeper: { ...NEVER, purgeAfterMs: 0, orphanAfterMs: 0 } });
    const other = await startAppOn(running.database, {
      sweeper: { ...NEVER, purgeAfterMs: 0, orphanAfterMs: 0 },
    });
    for (let i = 0; i < 4; i++) await deleted(`shop-${i}`);
    const reports = await Promise.all([sweep(), other.app.get(TenantSweeper).sweep(), sweep()]);
    for (const { problems } of reports) expect(problems).toEqual([]);
    await expect(running.schemas()).resolves.toEqual([]);
    await expect(
      sql('SELECT count(*)::int AS count FROM tenancy.purges WHERE finished_at IS NOT NULL'),
    ).resolves.toEqual([{ count: 4 }]);
    await other.close();
  });

  it('comes at start, then after each pause, and stops when the application closes', async () => {
    const pauses: { ms: number; work: () => void }[] = [];
    let cancelled = 0;
    const clock: Clock = {
      now: () => 0,
      after: (ms, work) => {
        pauses.push({ ms, work });
        return () => void cancelled++;
      },
    };
    @Global()
    @Module({ providers: [{ provide: CLOCK, useValue: clock }], exports: [CLOCK] })
    class ClockModule {}
    running = await startProvisioningApp(
      { sweeper: { intervalMs: 12_345, purgeAfterMs: 0 } },
      { imports: [ClockModule] },
    );
    await sweep();
    const own = () => pauses.filter(({ ms }) => ms === 12_345);
    expect(own()).toHaveLength(1);
    const { schemaName } = await deleted('acme');
    own()[0].work();
    await sweep();
    await expect(running.schemas()).resolves.not.toContain(schemaName);
    expect(own()).toHaveLength(2);
    const { close } = running;
    await close();
    expect(cancelled).toBeGreaterThan(0);
    running = await startProvisioningApp();
  });

  it('warns of nothing when the application closes while it is at work', async () => {
    running = await startProvisioningApp({ sweeper: NEVER });
    const locker = new Client({ connectionString: running.database.url });
    await locker.connect();
    await locker.query('BEGIN; LOCK tenancy.orphans; LOCK tenancy.spares');
    const waiting = async () =>
      (await sql('SELECT pid FROM pg_catalog.pg_locks WHERE NOT granted')).map(({ pid }) => Number(pid));
    const second = await startAppOn(running.database, {
      sweeper: { intervalMs: 60_000 },
      spares: { count: 1 },
    });
    while ((await waiting()).length < 2);
    const pids = await waiting();
    const closed = second.close();
    await sql('SELECT pg_catalog.pg_terminate_backend(pid, 5000) FROM unnest($1::int[]) AS pid', [pids]);
    await closed;
    await locker.end();
    expect(second.log.warnings).toEqual([]);
  });
});
