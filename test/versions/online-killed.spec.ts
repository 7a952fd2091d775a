import type { Tenant } from '../../lib';
import { type OnlineWorld, startOnlineWorld } from '../integration/moves/online-world';
import { felt } from '../support/change-feed';
import { killMover } from '../support/moves';
import type { StoppedMoves } from '../support/moving-program';

/** Where each tenant lives before, the state in which its mover is killed, and where it lives in the end. */
const KILLED = [
  ['planned', 'default', 'planned', 'default'],
  ['copying', 'default', 'copying', 'default'],
  ['copied', 'default', 'copied', 'default'],
  ['following', 'default', 'following', 'default'],
  ['fencing', 'default', 'fencing', 'default'],
  ['cleaning', 'default', 'cleaning', 'eu'],
  ['following-far', 'eu', 'following', 'eu'],
  ['fencing-far', 'eu', 'fencing', 'eu'],
  ['switching-far', 'eu', 'switching', 'default'],
  ['cleaning-far', 'eu', 'cleaning', 'default'],
] as const;

const other = (server: string) => (server === 'eu' ? 'default' : 'eu');

let world: OnlineWorld;
const tenants = new Map<string, Tenant>();
beforeAll(async () => {
  world = await startOnlineWorld({ moves: { waitMs: 100 } });
  for (const [slug, server] of KILLED) {
    const tenant = await world.createAt(slug, server);
    tenants.set(slug, tenant);
    await world.query(tenant, `INSERT INTO note (text) VALUES ('${slug}')`);
  }
  const moves: StoppedMoves = KILLED.map(([slug, server, state]) => [slug, other(server), state, 'online']);
  await killMover(world.ways.default.url, world.ways.eu.url, moves);
}, 240_000);
afterAll(() => world.close());

const write = (slug: string, text: string) =>
  world.query(tenants.get(slug)!, `INSERT INTO note (text) VALUES ('${text}')`);
const read = async (slug: string) =>
  (await world.query<{ text: string }>(tenants.get(slug)!, 'SELECT text FROM note ORDER BY id')).map(
    ({ text }) => text,
  );

it('serves, also what writes, who lives at the old place, and who lives at the new one', async () => {
  const states = await Promise.all(KILLED.map(async ([slug]) => (await world.mover.list(slug))[0].state));
  expect(states).toEqual(KILLED.map(([, , state]) => (state === 'copied' ? 'copying' : state)));
  for (const [slug, , state] of KILLED) {
    if (state === 'fencing' || state === 'switching') continue;
    await write(slug, 'meanwhile');
    expect([slug, await read(slug)]).toEqual([slug, [slug, 'meanwhile']]);
  }
  await expect(read('switching-far')).rejects.toMatchObject({ code: 'TENANT_MOVING' });
});

it('undoes what was not put away, goes on with the rest, and leaves no slot, publication or subscription', async () => {
  expect(await world.links()).not.toEqual([]);
  const isOver = async () => {
    await world.sweep();
    return (await world.mover.listOpen()).length === 0;
  };
  expect(await felt(isOver, 120_000)).toBeLessThan(Infinity);
  expect((await world.sweep()).problems).toEqual([]);
  for (const [slug, server, state, end] of KILLED) {
    const [move] = await world.mover.list(slug);
    expect([slug, move.state, (await world.find(slug)).place.server]).toEqual([
      slug,
      server === end ? 'failed' : 'done',
      end,
    ]);
    await write(slug, 'after');
    const meanwhile = state === 'fencing' || state === 'switching' ? [] : ['meanwhile'];
    expect([slug, await read(slug)]).toEqual([slug, [slug, ...meanwhile, 'after']]);
    expect(await world.schemas(other(end))).not.toContain(tenants.get(slug)!.schemaName);
  }
  expect(await world.links()).toEqual([]);
});

it('moves each of them then', async () => {
  for (const [slug, , , end] of KILLED) {
    const before = await read(slug);
    await expect(world.mover.move(slug, { server: other(end) }, { how: 'online' })).resolves.toMatchObject({
      state: 'done',
    });
    expect(await read(slug)).toEqual(before);
  }
  expect(await world.links()).toEqual([]);
});
