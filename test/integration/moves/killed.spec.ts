import {
  type Move,
  MoveSweeper,
  TenantConnection,
  TenantContext,
  TenantMover,
  TenantProvisioner,
  TenantStore,
  type Tenant,
} from '../../../lib';
import { felt } from '../../support/change-feed';
import { killMover } from '../../support/moves';
import type { StoppedMoves } from '../../support/moving-program';
import { Note } from '../../support/notes';
import { startWorld, type World } from '../servers/world';

/** Where each tenant lives before, where it moves to, where its mover is killed, and where it lives in the end. */
const KILLED = [
  ['planned', 'default', 'planned', 'default'],
  ['copying', 'default', 'copying', 'default'],
  ['copied', 'default', 'copied', 'default'],
  ['fencing', 'default', 'fencing', 'default'],
  ['cleaning', 'default', 'cleaning', 'eu'],
  ['fencing-far', 'eu', 'fencing', 'eu'],
  ['switching-far', 'eu', 'switching', 'default'],
  ['fenced-far', 'eu', 'switching', 'default'],
  ['lost-copy', 'eu', 'switching', 'eu'],
] as const;

const other = (server: string) => (server === 'eu' ? 'default' : 'eu');

let world: World;
let killed: Move[];
beforeAll(async () => {
  world = await startWorld({ sweeper: { intervalMs: 0 }, moves: { waitMs: 100 } });
  for (const [slug, server] of KILLED) {
    const tenant = await world.app.get(TenantProvisioner).create({ slug }, { place: { server } });
    await as(tenant, (connection) => connection.getRepository(Note).save({ text: slug }));
  }
  const moves: StoppedMoves = KILLED.map(([slug, server, state]) => [slug, other(server), state]);
  await killMover(world.database.url, world.way.url, moves);
  killed = await world.app.get(TenantMover).listOpen();
}, 120_000);
afterAll(() => world.close());

const find = async (slug: string) =>
  (await world.app.get<TenantStore>(TenantStore).find({ by: 'slug', value: slug }))!;
function as<T>(tenant: Tenant, work: (connection: TenantConnection) => Promise<T>): Promise<T> {
  return world.app.get(TenantContext).run(tenant, () => work(world.app.get(TenantConnection)));
}
const read = async (slug: string) =>
  as(await find(slug), async (connection) =>
    (await connection.getRepository(Note).find()).map(({ text }) => text),
  );
const moveOf = async (slug: string) => (await world.app.get(TenantMover).list(slug))[0];
const sweep = () => world.app.get(MoveSweeper).sweep();
const at = (server: string) => (server === 'eu' ? world.eu : world.database);
const schemasAt = async (server: string) =>
  (
    await at(server).query<{ name: string }>(
      `SELECT nspname AS name FROM pg_namespace WHERE nspname ~ '^(moved_)?t_'`,
    )
  ).map(({ name }) => name);

it('says in which state each was when its mover was killed, and serves who lives at the old place', async () => {
  const states = await Promise.all(KILLED.map(async ([slug]) => (await moveOf(slug)).state));
  expect(states).toEqual(KILLED.map(([, , state]) => (state === 'copied' ? 'copying' : state)));
  expect(killed).toHaveLength(KILLED.length);
  for (const slug of ['planned', 'copying', 'copied', 'cleaning']) expect(await read(slug)).toEqual([slug]);
  await expect(read('switching-far')).rejects.toMatchObject({ code: 'TENANT_MOVING' });
});

it('guesses nothing while a server that it needs is away, and says so', async () => {
  const { schemaName } = await find('fenced-far');
  // Died between the commit at the old place and the next word to the registry.
  await world.database.query(`UPDATE tenancy.moves SET state = 'fencing' WHERE schema_name = $1`, [
    schemaName,
  ]);
  // And one whose new place was lost with the copy.
  const lost = await find('lost-copy');
  await world.database.query(`DROP SCHEMA ${lost.schemaName} CASCADE`);
  await world.way.cut();
  const { problems } = await sweep();
  const stuck = await world.app.get(TenantMover).listOpen();
  expect(problems.filter((each) => each.includes('could not end')).length).toBe(stuck.length);
  const waiting = stuck.map(({ schemaName: name }) => name);
  for (const slug of ['cleaning', 'fencing-far', 'fenced-far', 'lost-copy'])
    expect(waiting).toContain((await find(slug)).schemaName);
  await world.way.mend();
});

it('undoes what was not put away at the old place, and goes on with the rest', async () => {
  const isOver = async () => {
    await sweep();
    return (await world.app.get(TenantMover).listOpen()).length === 0;
  };
  expect(await felt(isOver, 60_000)).toBeLessThan(Infinity);
  for (const [slug, server, , end] of KILLED) {
    const { state, reason } = await moveOf(slug);
    expect([slug, state, (await find(slug)).place.server]).toEqual([
      slug,
      server === end ? 'failed' : 'done',
      end,
    ]);
    if (state === 'failed') expect(reason).toMatch(/^Its worker \(.*\) has died\./);
    expect(await read(slug)).toEqual([slug]);
    await as(await find(slug), (connection) => connection.getRepository(Note).save({ text: 'after' }));
    expect(await read(slug)).toEqual([slug, 'after']);
  }
});

it('leaves nothing of what was undone, and of the rest what is kept', async () => {
  await sweep();
  const tenants = await Promise.all(KILLED.map(([slug]) => find(slug)));
  for (const server of ['default', 'eu']) {
    const expected = tenants.flatMap(({ schemaName, slug, place }) => {
      const [, before] = KILLED.find(([name]) => name === slug)!;
      if (place.server === server) return [schemaName];
      return before === server ? [`moved_${schemaName}`] : [];
    });
    expect((await schemasAt(server)).sort()).toEqual(expected.sort());
  }
  for (const { slug, place, schemaName } of tenants)
    expect(
      await at(place.server).query(`SELECT obj_description($1::regnamespace) AS comment`, [schemaName]),
    ).toEqual([{ comment: expect.stringContaining(`tenant ${slug}; registry`) as string }]);
  expect((await sweep()).problems).toEqual([]);
});
