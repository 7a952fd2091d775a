import { Client } from 'pg';
import {
  siteOf,
  type Tenant,
  TenantContext,
  TenantLifecycle,
  TenantProvisioner,
  TenantPurge,
  TenantStore,
  TenantSweeper,
} from '../../../lib';
import { generateSchemaName } from '../../../lib/registry/schema-name';
import { SpareState } from '../../../lib/provisioning/spares/spare-state';
import { SpareRefill } from '../../../lib/provisioning/spares/spare-refill';
import { startAppOn } from '../provisioning/app';
import { type DatabasesWorld, startDatabases, urlOf } from './world';

jest.mock('../../../lib/registry/schema-name', () => {
  const actual = jest.requireActual<typeof import('../../../lib/registry/schema-name')>(
    '../../../lib/registry/schema-name',
  );
  return { ...actual, generateSchemaName: jest.fn(actual.generateSchemaName) };
});

let world: DatabasesWorld;
beforeAll(async () => {
  world = await startDatabases({
    hooks: { onProvision: [(_tenant, manager) => manager.query(`INSERT INTO note (text) VALUES ('hook')`)] },
  });
});
afterAll(() => world.close());

const store = () => world.app.get<TenantStore>(TenantStore);
const sweep = () => world.app.get(TenantSweeper).sweep();
const inside = async <Row>(tenant: Pick<Tenant, 'schemaName'>, sql: string): Promise<Row[]> => {
  const client = new Client({ connectionString: urlOf(world.database, tenant.schemaName) });
  await client.connect();
  return client
    .query<Row & object>(sql)
    .then(({ rows }) => rows as Row[])
    .finally(() => client.end());
};

it('makes a tenant a database of its own, with the schema in it, and serves it there', async () => {
  const acme = await world.own('acme');
  const globex = await world.create({ slug: 'globex' });
  expect(acme).toMatchObject({ status: 'active', place: { server: 'default', isolation: 'database' } });
  await world.write(acme, 'own');
  await world.write(globex, 'shared');
  expect([await world.read(acme), await world.read(globex)]).toEqual([
    ['hook', 'own'],
    ['hook', 'shared'],
  ]);
  expect(await world.databases()).toEqual([acme.schemaName]);
  expect(await world.schemas()).toEqual([globex.schemaName]);
  expect(await inside(acme, `SELECT text FROM ${acme.schemaName}.note`)).toEqual([
    { text: 'hook' },
    { text: 'own' },
  ]);
  expect(await world.database.query('SELECT * FROM tenancy.databases')).toEqual([]);
  const found = world.app
    .get(TenantContext)
    .runAsSystem(() => world.app.get(TenantContext).site(), siteOf(acme));
  expect(found).toEqual({ server: 'default', database: acme.schemaName });
});

it('has the locale of the main database, and lets nobody else in', async () => {
  const [acme] = await store().findMany([{ by: 'slug', value: 'acme' }]);
  const look = `SELECT pg_encoding_to_char(encoding) AS encoding, datcollate, datctype, datlocprovider FROM pg_database
                WHERE datname = current_database()`;
  expect(await inside(acme!, look)).toEqual(await world.database.query(look));
  const [{ mayAll }] = await inside<{ mayAll: boolean }>(
    acme!,
    `SELECT has_database_privilege('public', current_database(), 'CONNECT') AS "mayAll"`,
  );
  expect(mayAll).toBe(false);
});

it('makes one on a further server', async () => {
  const abroad = await world.own('abroad', { place: { server: 'eu' } });
  await world.write(abroad, 'far');
  expect(await world.read(abroad)).toEqual(['hook', 'far']);
  expect(abroad.place).toEqual({ server: 'eu', isolation: 'database' });
  expect((await sweep()).orphans).toEqual({ dropped: [], withRows: [], unmarked: [], kept: [] });
});

it('makes it for one of ten that ask for the same slug at once', async () => {
  const before = await world.databases();
  const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => world.own('wanted')));
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const outcome of outcomes)
    if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'TENANT_SLUG_TAKEN' });
  expect(await world.databases()).toHaveLength(before.length + 1);
});

it('leaves nothing of one whose making failed', async () => {
  const before = await world.databases();
  const within = () => Promise.reject(new Error('changed my mind'));
  await expect(world.own('undone', { within })).rejects.toThrow('changed my mind');
  expect(await world.databases()).toEqual(before);
  expect(await world.database.query('SELECT * FROM tenancy.databases')).toEqual([]);
  expect(await store().find({ by: 'slug', value: 'undone' })).toBeUndefined();
  expect(
    await world.database.query(`SELECT * FROM tenancy.tenant_migrations m WHERE NOT EXISTS (
    SELECT FROM tenancy.tenants t WHERE t.id = m.tenant_id) AND tenant_id <> '00000000-0000-0000-0000-000000000000'`),
  ).toEqual([]);
});

it('never touches a database of that name that was there before', async () => {
  const foreign = `t_${'foreign'.padEnd(20, '0')}`;
  await world.database.query(`CREATE DATABASE ${foreign} TEMPLATE template0 STRATEGY file_copy`);
  jest.mocked(generateSchemaName).mockReturnValueOnce(foreign);
  await expect(world.own('thief')).rejects.toThrow(/already exists/);
  const { orphans } = await sweep();
  expect(orphans).toEqual({ dropped: [], withRows: [], unmarked: [], kept: [] });
  expect(
    await world.database.query(`SELECT datname FROM pg_database WHERE datname = '${foreign}'`),
  ).toHaveLength(1);
  await world.database.query(`DROP DATABASE ${foreign}`);
});

it('copies a tenant into a database of its own, with all rows and masked values', async () => {
  const [acme] = await store().findMany([{ by: 'slug', value: 'acme' }]);
  await world.write(acme!, 'it\'s \\ "quoted"\n\t😀');
  const copy = await world.app.get(TenantProvisioner).clone('acme', 'copy');
  expect(copy.place).toEqual(acme!.place);
  expect(await world.read(copy)).toEqual([...(await world.read(acme!)), 'hook']);
  const masked = await world.app
    .get(TenantProvisioner)
    .clone('acme', 'masked', { mask: { note: { text: `'no. ' || id` } } });
  expect(await world.read(masked)).toEqual(['no. 1', 'no. 2', 'no. 3', 'hook']);
});

it('writes the new slug into the comments of a renamed one', async () => {
  const renamed = await world.app.get(TenantLifecycle).update('masked', { slug: 'veiled' });
  const [{ comment }] = await inside<{ comment: string }>(
    renamed,
    `SELECT shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = current_database()`,
  );
  expect(comment).toMatch(/^tenant veiled; server default; registry /);
});

it('purges it with its database, and records what was in it', async () => {
  const [copy] = await store().findMany([{ by: 'slug', value: 'copy' }]);
  const rows = (await world.read(copy!)).length;
  await world.app.get(TenantLifecycle).delete('copy');
  const record = await world.app.get(TenantPurge).purge('copy');
  expect(record).toMatchObject({ slug: 'copy', tables: { note: rows }, finishedAt: expect.any(Date) });
  expect(record.bytes).toBeGreaterThan(0);
  expect(await world.databases()).not.toContain(copy!.schemaName);
});

it('drops no database that does not say that it is ours', async () => {
  const owned = await world.own('owned');
  await world.database.query(`COMMENT ON DATABASE ${owned.schemaName} IS 'of another'`);
  await world.app.get(TenantLifecycle).delete('owned');
  await expect(world.app.get(TenantPurge).purge('owned')).rejects.toMatchObject({
    code: 'SCHEMA_NOT_MARKED',
    message: expect.stringContaining('The database "'),
  });
  const [{ id }] = await world.database.query<{ id: string }>('SELECT id FROM tenancy.registry_identity');
  await world.database.query(
    `COMMENT ON DATABASE ${owned.schemaName} IS 'tenant owned; server default; registry ${id}'`,
  );
  await expect(world.app.get(TenantPurge).purge('owned')).resolves.toBeDefined();
});

it('drops one again that PostgreSQL had begun to drop', async () => {
  const broken = await world.own('broken');
  await world.app.get(TenantLifecycle).delete('broken');
  await world.database.query(
    `UPDATE pg_database SET datconnlimit = -2 WHERE datname = '${broken.schemaName}'`,
  );
  await expect(world.app.get(TenantPurge).purge('broken')).resolves.toMatchObject({ rows: 0 });
  expect(await world.databases()).not.toContain(broken.schemaName);
});

it('answers for one that somebody has dropped by hand, serves the others, and lets it be purged', async () => {
  const gone = await world.own('gone');
  await world.read(gone);
  await world.database.query(`DROP DATABASE ${gone.schemaName} WITH (FORCE)`);
  await expect(world.read(gone)).rejects.toThrow();
  await expect(world.read(gone)).rejects.toMatchObject({ code: '3D000' });
  const [acme] = await store().findMany([{ by: 'slug', value: 'acme' }]);
  await expect(world.read(acme!)).resolves.toContain('own');
  await world.app.get(TenantLifecycle).delete('gone');
  await expect(world.app.get(TenantPurge).purge('gone')).resolves.toMatchObject({ rows: 0 });
});

it('drops a marked database that belongs to no tenant when it is empty, and keeps one with rows, wherever in it they are', async () => {
  const slugs = ['empty', 'filled', 'elsewhere', 'large'];
  const made: Tenant[] = [];
  for (const slug of slugs) made.push(await world.own(slug));
  const [empty, filled, elsewhere, large] = made;
  for (const each of [empty, elsewhere, large]) await inside(each, `DELETE FROM ${each.schemaName}.note`);
  await inside(elsewhere, `CREATE TABLE public.other AS SELECT 'kept' AS text`);
  await inside(large, `SELECT lo_from_bytea(0, 'kept')`);
  await world.database.query(`DELETE FROM tenancy.tenants WHERE slug = ANY ($1)`, [slugs]);
  const { orphans, problems } = await sweep();
  expect(problems).toEqual([]);
  const withRows = [filled, elsewhere, large].map(({ schemaName }) => schemaName).sort();
  expect(orphans).toEqual({ dropped: [empty.schemaName], withRows, unmarked: [], kept: [] });
  expect(await world.databases()).toEqual(expect.arrayContaining(withRows));
});

it('keeps databases ready under their final names, and takes them', async () => {
  const waiting = async () =>
    world.database.query<{ name: string; slot: number }>(
      'SELECT name, slot FROM tenancy.databases ORDER BY slot',
    );
  const spare = await startAppOn(world.database, {
    servers: { eu: { url: world.way.url, open: false } },
    sweeper: { intervalMs: 0 },
    spares: { databases: 2 },
  });
  const refill = spare.app.get(SpareRefill);
  await refill.refill();
  const [first, second] = await waiting();
  expect([first.slot, second.slot]).toEqual([0, 1]);
  await expect(spare.app.get(SpareState).read()).resolves.toEqual({
    ...{ wanted: 0, ready: 0, stale: 0 },
    databases: { wanted: 2, ready: 2, stale: 0 },
  });
  const place = { isolation: 'database' } as const;
  const fast = await spare.app.get(TenantProvisioner).create({ slug: 'fast' }, { place });
  expect(fast.schemaName).toBe(first.name);
  await expect(world.read(fast)).resolves.toEqual([]);
  const within = () => Promise.reject(new Error('changed my mind'));
  await refill.refill();
  const undone = spare.app.get(TenantProvisioner).create({ slug: 'undone' }, { place, within });
  await expect(undone).rejects.toThrow('changed my mind');
  // It waits again, and the sweeper of an application that wants none drops what waits.
  expect((await waiting()).map(({ slot }) => slot)).toEqual([0, 1]);
  await spare.close();
  await world.database.query(`UPDATE tenancy.databases SET template_version = 'older' WHERE slot = 1`);
  const { problems } = await sweep();
  expect(problems).toEqual([]);
  expect(await waiting()).toEqual([]);
  expect(await world.databases()).toContain(fast.schemaName);
  expect(await world.databases()).not.toContain(second.name);
});

it('refuses a place on a server that has Citus', async () => {
  // No package here has Citus, so its row in the catalog stands for it.
  await world.database.query(
    `INSERT INTO pg_extension SELECT 99999, 'citus', extowner, extnamespace, extrelocatable, extversion FROM pg_extension LIMIT 1`,
  );
  await expect(world.own('spread')).rejects.toMatchObject({
    code: 'PLACE_NOT_POSSIBLE',
    message: expect.stringMatching(/Citus/),
  });
  await world.database.query(`DELETE FROM pg_extension WHERE oid = 99999`);
  expect(await store().find({ by: 'slug', value: 'spread' })).toBeUndefined();
});
