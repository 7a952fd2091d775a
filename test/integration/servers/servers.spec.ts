import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import {
  TenantConnection,
  TenantContext,
  TenantExport,
  TenantImport,
  TenantLifecycle,
  TenantProvisioner,
  TenantPurge,
  TenantStore,
  TenantSweeper,
  type Tenant,
} from '../../../lib';
import { generateSchemaName } from '../../../lib/registry/schema-name';
import { testTenants } from '../../../lib/testing';
import { createTestDatabase } from '../../support/database';
import { Note } from '../../support/notes';
import { startAppOn } from '../provisioning/app';
import { expectNothingOfRegistry, startWorld, type World } from './world';

let world: World;
beforeAll(async () => {
  world = await startWorld({ sweeper: { intervalMs: 0, orphanAfterMs: 0 } });
});
afterAll(async () => {
  await expectNothingOfRegistry(world);
  await world.close();
});

const provisioner = () => world.app.get(TenantProvisioner);
const store = () => world.app.get<TenantStore>(TenantStore);
const inEurope = (slug: string) => provisioner().create({ slug }, { place: { server: 'eu' } });
const as = <T>(tenant: Tenant, work: (connection: TenantConnection) => Promise<T>) =>
  world.app.get(TenantContext).run(tenant, () => work(world.app.get(TenantConnection)));
const write = (tenant: Tenant, text: string) =>
  as(tenant, (connection) => connection.getRepository(Note).save({ text }));
const read = async (tenant: Tenant) =>
  (await as(tenant, (connection) => connection.getRepository(Note).find())).map(({ text }) => text);
const schemasOfEu = async () =>
  (
    await world.eu.query<{ name: string }>(`SELECT nspname AS name FROM pg_namespace WHERE nspname ~ '^t_'`)
  ).map(({ name }) => name);
const sweep = () => world.app.get(TenantSweeper).sweep();

it('makes a tenant on a further server, and serves it there', async () => {
  const acme = await inEurope('acme');
  const globex = await provisioner().create({ slug: 'globex' });
  expect(acme).toMatchObject({ status: 'active', place: { server: 'eu', isolation: 'schema' } });
  expect(globex.place).toEqual({ server: 'default', isolation: 'schema' });
  await write(acme, 'in europe');
  await write(globex, 'at home');
  expect([await read(acme), await read(globex)]).toEqual([['in europe'], ['at home']]);
  expect(await world.eu.query(`SELECT text FROM ${acme.schemaName}.note`)).toEqual([{ text: 'in europe' }]);
  expect(await world.schemas()).toEqual([globex.schemaName]);
  expect(await schemasOfEu()).toEqual([acme.schemaName]);
  const found = await store().list({ limit: 9, server: 'eu' });
  expect(found.map(({ slug }: Tenant) => slug)).toEqual(['acme']);
});

it('has a transaction of a tenant where the tenant is, and one of another inside it where that is', async () => {
  const [acme, globex] = await Promise.all(
    ['acme', 'globex'].map((value) => store().find({ by: 'slug', value })),
  );
  await as(acme!, (connection) =>
    connection.transaction(async (manager) => {
      await manager.save(Note, { text: 'both' });
      await as(globex!, (other) => other.transaction((inner) => inner.save(Note, { text: 'both' })));
    }),
  );
  expect([await read(acme!), await read(globex!)]).toEqual([
    ['in europe', 'both'],
    ['at home', 'both'],
  ]);
});

it('works for the system where it is told to, and else where the registry is', async () => {
  const context = world.app.get(TenantContext);
  const acme = (await store().find({ by: 'slug', value: 'acme' }))!;
  const where = () =>
    world.app
      .get(TenantConnection)
      .query<{ name: string }[]>('SELECT current_database() AS name')
      .then(([{ name }]) => name);
  const nameOf = ({ url }: { url: string }) => new URL(url).pathname.slice(1);
  expect(await context.runAsSystem(where)).toBe(nameOf(world.database));
  expect(await context.runAsSystem(where, 'eu')).toBe(nameOf(world.eu));
  expect(await context.runAsSystem(() => context.runAsSystem(where), 'eu')).toBe(nameOf(world.eu));
  // A tenant's server says nothing of the system's.
  expect(await context.run(acme, () => context.runAsSystem(where))).toBe(nameOf(world.database));
  expect(await context.run(acme, where)).toBe(nameOf(world.eu));
});

it('copies a tenant where it is', async () => {
  const copy = await provisioner().clone('acme', 'acme-copy');
  expect(copy.place.server).toBe('eu');
  expect(await read(copy)).toEqual(['in europe', 'both']);
  expect(await world.schemas()).toHaveLength(1);
});

it('exports a tenant from where it is, and imports it where it is asked to', async () => {
  const file = new PassThrough();
  const bytes = buffer(file);
  await world.app.get(TenantExport).export('acme', file);
  const exported = await bytes;
  const home = await world.app.get(TenantImport).import(Readable.from([exported]), { slug: 'home' });
  const abroad = await world.app
    .get(TenantImport)
    .import(Readable.from([exported]), { slug: 'abroad', place: { server: 'eu' } });
  expect([home.tenant.place.server, abroad.tenant.place.server]).toEqual(['default', 'eu']);
  for (const { tenant } of [home, abroad]) {
    await expect(read(tenant)).resolves.toEqual(['in europe', 'both']);
    expect(tenant.templateVersion).not.toBeNull();
  }
});

it('adopts a schema where it is said to be', async () => {
  await world.eu.query(
    'CREATE SCHEMA legacy; CREATE TABLE legacy.note (id serial PRIMARY KEY, text varchar NOT NULL)',
  );
  await expect(provisioner().adopt('legacy', 'legacy')).rejects.toMatchObject({
    code: 'SCHEMA_NOT_ADOPTABLE',
  });
  const adopted = await provisioner().adopt('legacy', 'legacy', { place: { server: 'eu' } });
  await write(adopted, 'taken in');
  expect(await world.eu.query('SELECT text FROM legacy.note')).toEqual([{ text: 'taken in' }]);
});

it('leaves nothing of a tenant whose creation fails', async () => {
  const [schemas, count] = [await schemasOfEu(), (await store().list({ limit: 99 })).length];
  const within = () => {
    throw new RangeError('no');
  };
  await expect(
    provisioner().create({ slug: 'never' }, { place: { server: 'eu' }, within }),
  ).rejects.toBeInstanceOf(RangeError);
  expect(await schemasOfEu()).toEqual(schemas);
  expect(await store().list({ limit: 99 })).toHaveLength(count);
  const [{ rows }] = await world.eu.query<{ rows: number }>(
    `SELECT count(*)::int AS rows FROM (SELECT DISTINCT tenant_id FROM tenancy.tenant_migrations) m`,
  );
  expect(rows).toBe(schemas.length + 1);
});

it('activates what a crash has left with a schema, and removes what it has left without', async () => {
  const made = await inEurope('crashed');
  await store().update(made.id, { status: 'provisioning' });
  await store().insert({
    ...{
      id: '01900000-0000-7000-8000-000000000009',
      slug: 'unmade',
      name: 'unmade',
      schemaName: generateSchemaName(),
    },
    ...{ status: 'provisioning', domains: [], metadata: {}, templateVersion: null, schemaVersion: null },
    place: { server: 'eu', isolation: 'schema' },
  });
  const { halfMade, problems } = await sweep();
  expect([halfMade, problems]).toEqual([{ activated: ['crashed'], removed: ['unmade'] }, []]);
  await expect(read(made)).resolves.toEqual([]);
});

it('purges a tenant where it is, and drops orphans of our own there, and no others', async () => {
  const made = await inEurope('leaving');
  const [{ id }] = await world.database.query<{ id: string }>('SELECT id FROM tenancy.registry_identity');
  const [ours, strange] = [generateSchemaName(), generateSchemaName()];
  await world.eu.query(`CREATE SCHEMA ${ours}; CREATE SCHEMA ${strange}`);
  await world.eu.query(`COMMENT ON SCHEMA ${ours} IS 'tenant forgotten; registry ${id}'`);
  await world.app.get(TenantLifecycle).delete('leaving');
  await expect(world.app.get(TenantPurge).purge('leaving')).resolves.toMatchObject({ server: 'eu' });
  const { orphans, problems } = await sweep();
  expect([orphans, problems]).toEqual([{ dropped: [ours], withRows: [], unmarked: [strange], kept: [] }, []]);
  const left = await schemasOfEu();
  expect(left).toContain(strange);
  expect(left).not.toContain(made.schemaName);
  await world.eu.query(`DROP SCHEMA ${strange}`);
});

it('refuses a place beside the slug, where it would be passed over', async () => {
  const body = { slug: 'misplaced', place: { server: 'eu' } };
  await expect(provisioner().create(body)).rejects.toMatchObject({ code: 'PLACE_NOT_POSSIBLE' });
  expect(await store().find({ by: 'slug', value: 'misplaced' })).toBeUndefined();
});

it.each([
  ['a server that nobody knows', { server: 'us' }],
  ['a kind of isolation that is none', { isolation: 'rows' as never }],
])('refuses %s as a place', async (_what, place) => {
  await expect(provisioner().create({ slug: 'nowhere' }, { place })).rejects.toMatchObject({
    code: 'PLACE_NOT_POSSIBLE',
    statusCode: 409,
  });
  expect(await store().find({ by: 'slug', value: 'nowhere' })).toBeUndefined();
});

it('makes tenants of tests where they are asked for, and again in the same place', async () => {
  const tenants = testTenants({ app: world.app });
  const first = await tenants.make({}, { place: { server: 'eu' } });
  const again = await tenants.reset(first);
  expect([first.place.server, again.place.server, again.slug]).toEqual(['eu', 'eu', first.slug]);
  expect(await schemasOfEu()).not.toContain(first.schemaName);
  await tenants.dropAll();
  expect(await schemasOfEu()).not.toContain(again.schemaName);
});

it('touches nothing of another registry that has tenants on the same server', async () => {
  const home = await createTestDatabase();
  const other = await startAppOn(home, {
    servers: { eu: { url: world.eu.url } },
    ...{ registry: { schema: 'other_tenancy' }, templateSchema: 'other_template' },
    ...{ spares: { count: 1 }, sweeper: { intervalMs: 0, orphanAfterMs: 0 } },
  });
  try {
    const get = other.app.get.bind(other.app);
    const own = await inEurope('shared-1');
    const [theirs, purged] = [
      await get(TenantProvisioner).create({ slug: 'theirs' }, { place: { server: 'eu' } }),
      await get(TenantProvisioner).create({ slug: 'purged' }, { place: { server: 'eu' } }),
    ];
    await write(own, 'ours');
    // Of each a schema that no tenant has, and that only its own registry may drop.
    const [ourOrphan, theirOrphan] = [
      await inEurope('shared-2'),
      await get(TenantProvisioner).create({ slug: 'lost' }, { place: { server: 'eu' } }),
    ];
    await get(TenantSweeper).sweep();
    await world.database.query(`DELETE FROM tenancy.tenants WHERE slug = 'shared-2'`);
    await home.query(`DELETE FROM other_tenancy.tenants WHERE slug = 'lost'`);
    const spares = () =>
      world.eu.query<{ name: string }>('SELECT schema_name AS name FROM other_tenancy.spares');
    const before = await schemasOfEu();
    const [spare] = await spares();
    expect(before).toEqual(expect.arrayContaining([spare.name]));

    // The first look notes an orphan, the second drops it.
    await sweep();
    await sweep();
    expect(await schemasOfEu()).toEqual(before.filter((name) => name !== ourOrphan.schemaName));
    await get(TenantSweeper).sweep();
    await get(TenantSweeper).sweep();
    await get(TenantLifecycle).delete('purged');
    await get(TenantPurge).purge('purged');
    const gone = [ourOrphan, theirOrphan, purged].map(({ schemaName }) => schemaName);
    expect(await schemasOfEu()).toEqual(before.filter((name) => !gone.includes(name)));
    expect(await spares()).toEqual([spare]);
    expect(await read(own)).toEqual(['ours']);
    expect(await schemasOfEu()).toContain(theirs.schemaName);
  } finally {
    await other.close();
    await home.drop();
  }
});
