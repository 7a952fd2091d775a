import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  FleetDrift,
  FleetMigrator,
  InMemoryTenantStore,
  TenantConnection,
  TenantContext,
  TenantLifecycle,
  TenantProvisioner,
  TenantStore,
  type Tenant,
  type TenancyOptions,
} from '../../../lib';
import { generateSchemaName } from '../../../lib/registry/schema-name';
import { CreateNotes1700000000000 } from '../../support/notes';
import type { TestApp } from '../../support/test-app';
import { reversible } from '../migrations/written-migrations';
import { startAppOn } from '../provisioning/app';
import { expectNothingOfRegistry, startWorld, type World } from './world';

const OLD = [CreateNotes1700000000000];

class AddPlace1700000001000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE note ADD COLUMN place text');
    await queryRunner.query('UPDATE note SET place = (10 / (char_length(text) - 3))::text');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE note DROP COLUMN place');
  }
}

class Index1700000002000 implements MigrationInterface {
  readonly transaction = false;

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE UNIQUE INDEX CONCURRENTLY note_text ON note (text)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP INDEX CONCURRENTLY note_text');
  }
}

const NEW = [...OLD, AddPlace1700000001000];
const INDEXED = [...NEW, Index1700000002000];

let world: World;
let apps: TestApp[];
beforeEach(async () => {
  apps = [];
  world = await startWorld({ migrations: OLD });
});
afterEach(async () => {
  for (const app of apps) await app.close();
  await expectNothingOfRegistry(world);
  await world.close();
});

/** The next version of the application, on the same servers. */
async function start(migrations: typeof OLD, changes: Partial<TenancyOptions> = {}): Promise<TestApp> {
  const app = await startAppOn(world.database, {
    servers: { eu: { url: world.way.url } },
    migrations,
    ...changes,
  });
  apps.push(app);
  return app;
}

const make = (slug: string, server: string) =>
  world.app.get(TenantProvisioner).create({ slug }, { place: { server } });
const makeSome = async () => [
  await make('home-1', 'default'),
  await make('eu-1', 'eu'),
  await make('home-2', 'default'),
  await make('eu-2', 'eu'),
];
const fleet = ({ app }: TestApp) => app.get(FleetMigrator);
const ask = <Row>({ app }: TestApp, tenant: Tenant, sql: string) =>
  app.get(TenantContext).run(tenant, () => app.get(TenantConnection).query<Row[]>(sql));
/** How many columns each tenant's table has. */
const columns = (app: TestApp, tenants: readonly Tenant[]) =>
  Promise.all(
    tenants.map(async (tenant) => {
      const [{ count }] = await ask<{ count: number }>(
        app,
        tenant,
        `SELECT count(*)::int AS count FROM pg_attribute WHERE attrelid = 'note'::regclass AND attnum > 0 AND NOT attisdropped`,
      );
      return count;
    }),
  );
const versions = async () =>
  Object.fromEntries(
    (
      await world.database.query<{ slug: string; version: string }>(
        'SELECT slug, schema_version AS version FROM tenancy.tenants ORDER BY slug',
      )
    ).map(({ slug, version }) => [slug, version]),
  );
const templateOfEu = async () =>
  (
    await world.eu.query<{ name: string }>('SELECT name FROM tenancy.template_migrations ORDER BY timestamp')
  ).map(({ name }) => name);
const insert = (tenant: Tenant, text: string) =>
  ask(world, tenant, `INSERT INTO note (text) VALUES ('${text}')`);

it('brings tenants of all servers to the version of the code, and back', async () => {
  const tenants = await makeSome();
  await world.app.get(TenantLifecycle).suspend('eu-2');
  const app = await start(NEW);
  const afterWaves: unknown[] = [];
  const afterWave = async (name: string) =>
    void afterWaves.push(name, await columns(app, [tenants[0], tenants[1], tenants[2]]));
  await expect(fleet(app).up({ canary: 1, afterWave })).resolves.toMatchObject({
    ...{ state: 'done', done: 4, skipped: 0, failed: [], notReached: 0, leftOut: [], warnings: [] },
  });
  // A canary on each server.
  expect(afterWaves).toEqual(['canary', [3, 3, 2]]);
  const [to] = NEW.slice(-1);
  expect(await versions()).toEqual({
    'eu-1': to.name,
    'eu-2': to.name,
    'home-1': to.name,
    'home-2': to.name,
  });
  expect(await columns(app, [tenants[0], tenants[1], tenants[2]])).toEqual([3, 3, 3]);
  await expect(fleet(app).up()).resolves.toMatchObject({ runId: null, state: 'done', done: 0 });
  await expect(fleet(app).status()).resolves.toMatchObject({
    ...{ tenants: 4, behind: 0, troubles: [], warnings: [] },
    migrations: [{ tenants: 4 }, { name: to.name, template: true, tenants: 4 }],
  });

  await expect(fleet(app).down()).resolves.toMatchObject({
    ...{ state: 'done', done: 4, failed: [], notReached: 0 },
    template: [to.name, `eu: ${to.name}`],
  });
  const [back] = OLD;
  expect(await versions()).toEqual({
    ...{ 'eu-1': back.name, 'eu-2': back.name, 'home-1': back.name, 'home-2': back.name },
  });
  expect(await columns(app, [tenants[0], tenants[1]])).toEqual([2, 2]);
  expect(await templateOfEu()).toEqual([back.name]);
});

it('goes on without a server that is away, and finishes when it is back', async () => {
  const tenants = await makeSome();
  await world.way.cut();
  const app = await start(NEW);
  const plan = await fleet(app).plan();
  expect(plan.warnings).toEqual([expect.stringContaining('The server "eu" was not asked')]);
  const report = await fleet(app).up();
  expect(report).toMatchObject({ state: 'failed', done: 2, failed: [], notReached: 2 });
  expect(report.leftOut).toEqual([
    { server: 'eu', why: expect.stringContaining('The server "eu" is not available') },
  ]);
  expect(report.warnings).toEqual([expect.stringContaining('The server "eu" was left out: ')]);
  expect(await columns(app, [tenants[0], tenants[2]])).toEqual([3, 3]);
  await expect(fleet(app).status()).resolves.toMatchObject({ tenants: 4, behind: 2 });
  await expect(fleet(app).down()).resolves.toMatchObject({
    state: 'failed',
    done: 2,
    template: [],
    notReached: 2,
  });
  await fleet(app).up();

  await world.way.mend();
  await until(
    () => fleet(app).up(),
    ({ state }) => state === 'done',
  );
  expect(await columns(app, tenants)).toEqual([3, 3, 3, 3]);
  expect(Object.values(await versions())).toEqual(Array(4).fill(NEW[1].name));
  // Its template is ready for new tenants at once.
  await expect(
    app.app.get(TenantProvisioner).create({ slug: 'eu-3' }, { place: { server: 'eu' } }),
  ).resolves.toMatchObject({ schemaVersion: NEW[1].name });
});

it('goes on without a server that is lost in the middle of a run', async () => {
  await makeSome();
  for (let i = 3; i < 8; i++) await make(`eu-${i}`, 'eu');
  const app = await start(NEW);
  let cut: Promise<void> | undefined;
  const report = await fleet(app).up({
    concurrency: 1,
    onProgress: (finished) => {
      if (finished === 4) cut = world.way.cut();
    },
  });
  await cut;
  expect(report).toMatchObject({ state: 'failed', failed: [] });
  expect(report.done + report.notReached).toBe(9);
  expect(report.notReached).toBeGreaterThan(0);
  expect(report.warnings).toEqual([expect.stringContaining('The server "eu" was left out: ')]);

  await world.way.mend();
  const later = await until(
    () => fleet(app).up(),
    ({ state }) => state === 'done',
  );
  expect(later.failed).toEqual([]);
  expect(Object.values(await versions())).toEqual(Array(9).fill(NEW[1].name));
});

it('names a tenant that fails on a further server, keeps nothing of it, and tells why there', async () => {
  const tenants = await makeSome();
  await insert(tenants[1], 'bad');
  const app = await start(NEW);
  const report = await fleet(app).up({ maxFailures: 9, retries: 0 });
  expect(report).toMatchObject({
    ...{ state: 'failed', done: 3, notReached: 0, warnings: [] },
    failed: [{ slug: 'eu-1', message: expect.stringContaining('division by zero') as string }],
  });
  expect(await columns(app, tenants)).toEqual([3, 2, 3, 3]);
  const status = await fleet(app).status();
  expect(status).toMatchObject({
    ...{ tenants: 4, behind: 1, troubleCount: 1 },
    troubles: [{ slug: 'eu-1', server: 'eu', state: 'failed' }],
  });
  expect((await versions())['eu-1']).toBe(OLD[0].name);
  await ask(app, tenants[1], `UPDATE note SET text = 'good'`);
  await expect(fleet(app).up()).resolves.toMatchObject({ state: 'done', done: 1 });
});

it('runs what says transaction = false on the server of the tenant, and settles it there', async () => {
  const tenants = await makeSome();
  for (const text of ['twin', 'twin']) await insert(tenants[1], text);
  const app = await start(INDEXED);
  await expect(fleet(app).up({ maxFailures: 9 })).resolves.toMatchObject({
    ...{ state: 'failed', done: 3, failed: [{ slug: 'eu-1', migration: 'Index1700000002000' }] },
  });
  await expect(fleet(app).status()).resolves.toMatchObject({
    troubles: [{ slug: 'eu-1', server: 'eu', state: 'unfinished' }],
  });
  await ask(app, tenants[1], 'DROP INDEX note_text');
  await ask(app, tenants[1], 'DELETE FROM note');
  await expect(fleet(app).resolve('Index1700000002000', 'rerun')).resolves.toBe(1);
  await expect(fleet(app).up()).resolves.toMatchObject({ state: 'done', done: 1 });
  expect(Object.values(await versions())).toEqual(Array(4).fill('Index1700000002000'));
  await expect(fleet(app).down()).resolves.toMatchObject({ state: 'done', done: 4 });
  expect(Object.values(await versions())).toEqual(Array(4).fill(NEW[1].name));
});

it('notes what a process that died had not noted, on each server', async () => {
  await makeSome();
  const app = await start(NEW);
  await fleet(app).up();
  for (const which of ['home-1', 'eu-1']) {
    await world.database.query(
      `UPDATE tenancy.tenants SET schema_version = '${OLD[0].name}' WHERE slug = '${which}'`,
    );
    await expect(fleet(app).up()).resolves.toMatchObject({ state: 'done', done: 0 });
    expect(Object.values(await versions())).toEqual(Array(4).fill(NEW[1].name));
  }
});

it('passes over a tenant elsewhere that has no schema yet', async () => {
  await makeSome();
  await world.app.get<TenantStore>(TenantStore).insert({
    ...{ id: '01900000-0000-7000-8000-000000000009', slug: 'unmade', name: 'unmade' },
    ...{ schemaName: generateSchemaName(), status: 'provisioning', domains: [], metadata: {} },
    ...{ templateVersion: null, schemaVersion: null, place: { server: 'eu', isolation: 'schema' } },
  });
  const app = await start(NEW);
  await expect(fleet(app).up()).resolves.toMatchObject({ state: 'done', done: 4, failed: [] });
});

it('migrates tenants of a store outside on all servers, and tells the store', async () => {
  const store = new InMemoryTenantStore();
  const old = await start(OLD, { store });
  const provisioner = old.app.get(TenantProvisioner);
  for (const [slug, server] of Object.entries({ home: 'default', abroad: 'eu' }))
    await provisioner.create({ slug }, { place: { server } });
  const seen = async () => (await store.list({ limit: 9 })).map(({ schemaVersion }) => schemaVersion);
  const app = await start(NEW, { store });
  await expect(fleet(app).up()).resolves.toMatchObject({ state: 'done', done: 2, failed: [] });
  expect(await seen()).toEqual([NEW[1].name, NEW[1].name]);
  await expect(fleet(app).status()).resolves.toMatchObject({ tenants: 2, behind: 0 });
  await expect(fleet(app).down()).resolves.toMatchObject({ state: 'done', done: 2, failed: [] });
  expect(await seen()).toEqual([OLD[0].name, OLD[0].name]);
});

it('leaves out a server that the registry names and the options do not', async () => {
  await makeSome();
  const app = await start(NEW, { servers: {} });
  const report = await fleet(app).up();
  expect(report).toMatchObject({ state: 'failed', done: 2, notReached: 2 });
  expect(report.warnings).toEqual([expect.stringContaining('which the option servers does not name')]);
});

it('plans for all servers, and tries on the first', async () => {
  await makeSome();
  const app = await start(NEW);
  const { migrations } = await fleet(app).plan();
  expect(migrations).toMatchObject([{ name: NEW[1].name, template: false, tenants: 4, problems: [] }]);
  expect(migrations[0].sql).toHaveLength(2);
});

it('confirms an edited migration on every server', async () => {
  await makeSome();
  for (const database of [world.database, world.eu])
    await database.query(`UPDATE tenancy.template_migrations SET checksum = 'another'`);
  await expect(fleet(world).status()).resolves.toMatchObject({ warnings: [expect.any(String)] });
  await expect(fleet(world).acknowledge(OLD[0].name)).resolves.toBe(true);
  await expect(fleet(world).status()).resolves.toMatchObject({
    migrations: [{ lackedBy: [] }],
    warnings: [],
  });
  await world.eu.query('DELETE FROM tenancy.template_migrations');
  await expect(fleet(world).status()).resolves.toMatchObject({
    migrations: [{ template: false, lackedBy: ['eu'] }],
  });
});

it('compares tenants with the template of their server, and repairs them there', async () => {
  const tenants = await makeSome();
  await world.eu.query(`ALTER TABLE ${tenants[1].schemaName}.note ALTER text SET DEFAULT 'x'`);
  const drift = world.app.get(FleetDrift);
  await expect(drift.check()).resolves.toMatchObject({ checked: 4, drifted: 1, tenants: [{ slug: 'eu-1' }] });
  await expect(drift.repair()).resolves.toMatchObject({ checked: 4, drifted: 0, repaired: 1 });
  await expect(drift.check({ tenants: ['eu-1'] })).resolves.toMatchObject({ checked: 1, drifted: 0 });
  await world.way.cut();
  const report = await drift.check();
  expect(report).toMatchObject({ checked: 2, drifted: 0 });
  expect(report.halted).toContain('the server "eu" was left out: ');
});

it('migrates shared schemas on every server, and back', async () => {
  for (const database of [world.database, world.eu]) await database.query('CREATE SCHEMA common');
  const first = reversible('AddRates1700000000500', 'CREATE TABLE rate (id int)', 'DROP TABLE rate');
  const app = await start(OLD, { sharedSchemas: ['common'], sharedMigrations: { common: [first] } });
  const tables = () =>
    Promise.all(
      [world.database, world.eu].map(async (database) => {
        const [{ table }] = await database.query<{ table: string | null }>(
          `SELECT to_regclass('common.rate')::text AS table`,
        );
        return table;
      }),
    );
  expect(await tables()).toEqual(['common.rate', 'common.rate']);
  await expect(fleet(app).downShared('common')).resolves.toBe('AddRates1700000000500');
  expect(await tables()).toEqual([null, null]);
  await expect(fleet(app).plan()).resolves.toMatchObject({ shared: [{ name: 'AddRates1700000000500' }] });
  await expect(fleet(app).up()).resolves.toMatchObject({
    shared: ['common: AddRates1700000000500', 'eu: common: AddRates1700000000500'],
  });
  await world.way.cut();
  await expect(fleet(app).downShared('common')).rejects.toMatchObject({ code: 'TENANCY_UNAVAILABLE' });
  expect(await tables()).toEqual(['common.rate', 'common.rate']);
});

/** Servers that were away are looked at again a second later. */
async function until<T>(work: () => Promise<T>, isRight: (result: T) => boolean): Promise<T> {
  for (const end = Date.now() + 20_000; ;) {
    const result = await work();
    if (isRight(result) || Date.now() > end) return result;
  }
}
