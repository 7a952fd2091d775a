import { Client } from 'pg';
import type { Tenant } from '../../lib';
import { type OnlineWorld, type PlaceName, startOnlineWorld } from '../integration/moves/online-world';
import { at } from '../support/moves';
import { examine } from '../../lib/cli/doctor/examine';
import { resolveOptions } from '../../lib/options/resolve-options';
import { CORE_MIGRATIONS } from '../../lib/registry/registry-migrations';
import { felt } from '../support/change-feed';
import { notesOptions } from '../support/notes';

// Each case waits for servers that are away.
jest.setTimeout(300_000);

let world: OnlineWorld;
beforeAll(async () => {
  world = await startOnlineWorld({ moves: { drainMs: 600, waitMs: 500, catchUpMs: 6_000 } });
});
afterAll(() => world.close());

async function create(slug: string): Promise<Tenant> {
  const tenant = await world.createAt(slug, 'eu');
  await world.query(tenant, `INSERT INTO note (text) VALUES ('${slug}')`);
  return tenant;
}
const linksOf = async (place: PlaceName) =>
  (
    await world.databases[place].query<{ name: string }>(
      `SELECT slot_name AS name FROM pg_replication_slots WHERE database = current_database()`,
    )
  ).map(({ name }) => name);

/** Which of the three is away: the old place, the new one, or the registry. */
const AWAY = { source: 'eu', target: 'us', registry: 'default' } as const;
const STATES = ['planned', 'copying', 'copied', 'following', 'fencing', 'switching', 'cleaning'] as const;

describe.each(Object.keys(AWAY) as (keyof typeof AWAY)[])('while the %s is away', (which) => {
  it.each(STATES)('a move that is %s loses nothing, and leaves nothing when it is back', async (state) => {
    const slug = `${which}-${state}`;
    const tenant = await create(slug);
    const way = world.ways[AWAY[which]];
    await world.mover
      .move(slug, { server: 'us' }, { how: 'online', onProgress: at(state, () => way.cut()) })
      .catch(() => undefined);
    await world.sweep();
    // A slot keeps the log: it is dropped though the new place is away.
    if (which === 'target' && (await world.mover.list(slug))[0].state === 'failed')
      expect(await linksOf('eu')).toEqual([]);
    await way.mend();
    const isOver = async () =>
      (await world.sweep()).problems.length === 0 && (await world.mover.listOpen()).length === 0;
    expect(await felt(isOver, 60_000)).toBeLessThan(Infinity);
    const { place } = await world.find(slug);
    const isForward = state === 'switching' || state === 'cleaning';
    expect([place.server, (await world.mover.list(slug))[0].state]).toEqual(
      isForward ? ['us', 'done'] : ['eu', 'failed'],
    );
    await felt(async () => (await world.query(tenant, 'SELECT 1').catch(() => [])).length > 0, 20_000);
    expect(await world.query(tenant, 'SELECT text FROM note')).toEqual([{ text: slug }]);
    expect(await world.schemas(isForward ? 'eu' : 'us')).not.toContain(tenant.schemaName);
    expect(await world.links()).toEqual([]);
  });
});

it('takes away what is left of a move that has ended, and nothing of which it knows no move', async () => {
  await create('left-over');
  const { id } = await world.mover.move('left-over', { server: 'us' }, { how: 'online' });
  const name = `tenancy_move_${id.replaceAll('-', '_')}`;
  const stranger = `tenancy_move_${'0'.repeat(8)}`;
  for (const slot of [name, stranger])
    await world.databases.eu.query(`SELECT pg_create_logical_replication_slot('${slot}', 'pgoutput')`);
  await world.databases.eu.query(`CREATE PUBLICATION ${name}`);
  await world.databases.default.query('UPDATE tenancy.moves SET unlinked_at = NULL WHERE id = $1', [id]);
  expect((await world.sweep()).problems).toEqual([]);
  expect(await world.links()).toEqual([`slot ${stranger}`]);
  // The doctor lists it.
  const servers = { eu: { url: world.databases.eu.url }, us: { url: world.databases.us.url } };
  const options = resolveOptions(notesOptions(world.databases.default, { servers }));
  const slots = (await examine(options, CORE_MIGRATIONS)).filter(({ check }) => check.endsWith('slots'));
  expect(slots.map(({ check, severity }) => [check, severity])).toEqual([
    ['slots', 'ok'],
    ['eu: slots', 'warning'],
    ['us: slots', 'ok'],
  ]);
  expect(slots[1].message).toContain(`slot ${stranger}, which keeps`);
  await world.databases.eu.query(`SELECT pg_drop_replication_slot('${stranger}')`);
});

it('fails when a transaction of the old server writes for longer than catchUpMs, and leaves nothing', async () => {
  await create('slow-slot');
  const session = new Client(world.databases.us.url);
  await session.connect();
  // Of whatever database.
  await session.query('BEGIN; SELECT pg_current_xact_id()');
  await expect(world.mover.move('slow-slot', { server: 'us' }, { how: 'online' })).rejects.toMatchObject({
    code: 'MOVE_FAILED',
    message: expect.stringContaining('a slot could not be made') as string,
  });
  await session.end();
  expect(await world.links()).toEqual([]);
  expect((await world.find('slow-slot')).place.server).toBe('eu');
});

it('does not stop writes for long when the new place does not follow, and says so', async () => {
  const tenant = await create('conflict');
  // What is done at the old place cannot be done at the new one.
  const onProgress = at('following', async () => {
    await world.databases.us.query(
      `INSERT INTO ${tenant.schemaName}.note (id, text) VALUES (1000, 'in the way')`,
    );
    await world.query(tenant, `INSERT INTO note (id, text) VALUES (1000, 'written meanwhile')`);
  });
  await expect(
    world.mover.move('conflict', { server: 'us' }, { how: 'online', onProgress }),
  ).rejects.toMatchObject({
    code: 'MOVE_FAILED',
    message: expect.stringContaining('did not catch up within 6000 ms') as string,
  });
  expect(await world.query(tenant, 'SELECT text FROM note ORDER BY id')).toEqual([
    { text: 'conflict' },
    { text: 'written meanwhile' },
  ]);
  expect(await world.links()).toEqual([]);
});
