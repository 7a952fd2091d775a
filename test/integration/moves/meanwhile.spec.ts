import { PassThrough } from 'node:stream';
import { Client } from 'pg';
import {
  FleetDrift,
  FleetMigrator,
  TenantConnection,
  TenantContext,
  TenantExport,
  TenantMover,
  TenantProvisioner,
  TenantStore,
  type Tenant,
} from '../../../lib';
import { SystemTransactions } from '../../../lib/connection/typeorm/system-transactions';
import { SchemaDrift } from '../../../lib/migrations/schema-drift';
import { TenantRepair } from '../../../lib/migrations/tenant-repair';
import { OpenMoves } from '../../../lib/provisioning/open-moves';
import { CreateNotes1700000000000, NotesOnce1700000000001 } from '../../support/notes';
import { at } from '../../support/moves';
import { startAppOn } from '../provisioning/app';
import { startWorld, type World } from '../servers/world';

const OLD = [CreateNotes1700000000000];

let world: World;
beforeAll(async () => {
  world = await startWorld({ migrations: OLD, moves: { drainMs: 600 } });
});
afterAll(() => world.close());
afterEach(() => jest.restoreAllMocks());

const EU = { server: 'eu' };
const mover = () => world.app.get(TenantMover);
const query = <T = Record<string, unknown>>(tenant: Tenant, sql: string): Promise<T[]> =>
  world.app.get(TenantContext).run(tenant, () => world.app.get(TenantConnection).query<T[]>(sql));
const find = async (slug: string) =>
  (await world.app.get<TenantStore>(TenantStore).find({ by: 'slug', value: slug }))!;

/** Moves a tenant, and does this at one moment of it. */
const moveAnd = (slug: string, where: string, work: () => Promise<unknown>) =>
  mover().move(slug, EU, { onProgress: at(where, work) });

/** The tenant is moved right after it was looked whether it is being moved. */
function overtakeWithMove(slug: string): void {
  const openMoves = world.app.get(OpenMoves);
  jest
    .spyOn(openMoves, 'requireNone')
    .mockImplementationOnce(async () => void (await mover().move(slug, EU)));
}

it('migrates all others while a tenant is moved, says so, and migrates that one at its new place', async () => {
  const [moving] = [await world.create({ slug: 'moving' }), await world.create({ slug: 'others' })];
  // The next version of the application, which has a migration more.
  const next = await startAppOn(world.database, {
    servers: { eu: { url: world.eu.url } },
    migrations: [...OLD, NotesOnce1700000000001],
  });
  const fleet = next.app.get(FleetMigrator);
  const reports: unknown[] = [];
  const constraints = async (slug: string) =>
    query(
      await find(slug),
      `SELECT FROM pg_constraint WHERE conname = 'once' AND connamespace = current_schema()::regnamespace`,
    );
  await moveAnd('moving', 'copied', async () => {
    reports.push(await fleet.up());
    reports.push(await fleet.down());
  });
  const warnings = [
    'Not migrated, because they are being moved to another place: "moving". Run again when that has ended.',
  ];
  expect(reports).toMatchObject([
    { state: 'failed', done: 1, failed: [], notReached: 1, warnings },
    // The moving tenant has not seen it, so there is nothing to wait for.
    { state: 'done', done: 1, failed: [], warnings: [] },
  ]);
  expect(await find('moving')).toMatchObject({ place: { server: 'eu' } });
  expect([await constraints('moving'), await constraints('others')]).toEqual([[], []]);
  expect(await fleet.up()).toMatchObject({ state: 'done', done: 2, notReached: 0, warnings: [] });
  expect(await constraints('moving')).toHaveLength(1);
  expect(
    await world.eu.query('SELECT FROM tenancy.tenant_migrations WHERE tenant_id = $1', [moving.id]),
  ).toHaveLength(2);
  // What a tenant has that is being moved is not taken from the template.
  await world.app.get(TenantMover).move('moving', { server: 'default' });
  await moveAnd('moving', 'copied', async () => {
    reports.push(await fleet.down());
  });
  expect(reports.at(-1)).toMatchObject({ state: 'failed', done: 1, template: [], warnings });
  expect(await fleet.down()).toMatchObject({ state: 'done', done: 1 });
  expect(await constraints('moving')).toEqual([]);
  await next.close();
});

it('begins no move while a migration run is about to begin', async () => {
  await world.create({ slug: 'raced' });
  const session = new Client(world.database.url);
  await session.connect();
  await session.query('BEGIN');
  await session.query(
    `INSERT INTO tenancy.migration_runs (id, direction, state, holder, migrations, lease_until)
     VALUES (gen_random_uuid(), 'up', 'running', 'a host', '[]', now() + interval '1 h')`,
  );
  const moving = mover().move('raced', EU);
  moving.catch(() => undefined);
  const isWaiting = () =>
    world.database.query(
      `SELECT FROM pg_locks WHERE NOT granted AND relation = 'tenancy.migration_runs'::regclass`,
    );
  while ((await isWaiting()).length === 0);
  await session.query('COMMIT');
  await session.end();
  await expect(moving).rejects.toMatchObject({
    code: 'MOVE_NOT_POSSIBLE',
    message: expect.stringContaining('A migration run is under way') as string,
  });
  await world.database.query(`DELETE FROM tenancy.migration_runs WHERE holder = 'a host'`);
});

it('moves no tenant of which a migration is unfinished', async () => {
  const { id } = await world.create({ slug: 'unfinished' });
  await world.database.query(
    `INSERT INTO tenancy.tenant_migrations (tenant_id, name, timestamp, state) VALUES ($1, 'Half1', 9, 'unfinished')`,
    [id],
  );
  await expect(mover().move('unfinished', EU)).rejects.toMatchObject({
    code: 'MOVE_NOT_POSSIBLE',
    message: expect.stringContaining('migration Half1 is unfinished') as string,
  });
});

it('repairs nothing of a tenant that is being moved, and begins no move while it repairs', async () => {
  const tenant = await world.create({ slug: 'drifted' });
  await query(tenant, 'ALTER TABLE note ALTER text DROP NOT NULL; CREATE INDEX ON note (text)');
  const drift = world.app.get(FleetDrift);
  const repairs: unknown[] = [];
  const repair = async () => void repairs.push((await drift.repair({ tenants: ['drifted'] })).tenants);
  await query(tenant, 'DROP SEQUENCE note_id_seq CASCADE');
  await world.app.get(OpenMoves).keepAway(tenant, 'be repaired', async () => {
    await expect(mover().move('drifted', EU)).rejects.toMatchObject({
      code: 'MOVE_NOT_POSSIBLE',
      message: expect.stringContaining('being repaired') as string,
    });
  });
  await moveAnd('drifted', 'planned', repair);
  expect(repairs).toEqual([
    [
      expect.objectContaining({
        repaired: [],
        error: expect.stringContaining('cannot be repaired now, because it is being moved') as string,
      }),
    ],
  ]);
  const standard = await world.app.get(FleetDrift).check({ tenants: ['drifted'] });
  expect(standard.tenants[0].differences.length).toBeGreaterThan(0);
  await repair();
  const atNewPlace = expect.arrayContaining(['ALTER TABLE note ALTER COLUMN text SET NOT NULL']) as string[];
  expect(repairs[1]).toEqual([expect.objectContaining({ tenantId: tenant.id, repaired: atNewPlace })]);
});

it('does not say that the schema of a tenant is missing that was moved meanwhile', async () => {
  const tenant = await world.create({ slug: 'looked-at' });
  await mover().move('looked-at', EU);
  const drift = world.app.get(SchemaDrift);
  const standard = await world.app
    .get(SystemTransactions)
    .run((manager) => drift.readStandard(manager), 'default');
  expect(await world.app.get(TenantRepair).look(standard, tenant)).toMatchObject({
    differences: [],
    error: expect.stringContaining('was moved to another place meanwhile') as string,
  });
});

it('tells an export and a clone that a move has overtaken them', async () => {
  for (const slug of ['exported', 'cloned']) await world.create({ slug });
  overtakeWithMove('exported');
  await expect(
    world.app.get(TenantExport).export('exported', new PassThrough().resume()),
  ).rejects.toMatchObject({ code: 'TENANT_MOVED' });
  overtakeWithMove('cloned');
  const { app } = world;
  await expect(app.get(TenantProvisioner).clone('cloned', 'clone')).rejects.toMatchObject({
    code: 'TENANT_MOVED',
  });
  await expect(app.get(TenantProvisioner).clone('cloned', 'clone')).resolves.toMatchObject({ slug: 'clone' });
});

it('adopts neither the copy of a tenant that is being moved nor what the move has left', async () => {
  const { schemaName } = await world.create({ slug: 'left' });
  const adopt = (name: string, place: { server: string }) =>
    world.app
      .get(TenantProvisioner)
      .adopt(name, 'adopted', { place, force: true })
      .then(
        () => 'adopted',
        ({ code }: { code: string }) => code,
      );
  const codes: string[] = [];
  await moveAnd('left', 'fencing', async () => codes.push(await adopt(schemaName, EU)));
  codes.push(await adopt(`moved_${schemaName}`, { server: 'default' }));
  expect(codes).toEqual(['SCHEMA_NOT_ADOPTABLE', 'SCHEMA_NOT_ADOPTABLE']);
});

it('fails rather than to leave a function behind that was made in the last moment', async () => {
  const tenant = await world.create({ slug: 'late' });
  const moved = moveAnd('late', 'fencing', () =>
    world.database.query(
      `CREATE FUNCTION ${tenant.schemaName}.late() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
    ),
  );
  await expect(moved).rejects.toMatchObject({
    code: 'MOVE_FAILED',
    message: expect.stringContaining('its structure was changed') as string,
  });
  expect(await query(tenant, 'SELECT late()')).toEqual([{ late: 1 }]);
});
