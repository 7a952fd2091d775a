import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  type Move,
  type Tenant,
  TenantConnection,
  TenantContext,
  TenantMover,
  TenantProvisioner,
} from '../../../lib';
import { OwnSessions } from '../../../lib/connection/typeorm/own-sessions';
import { felt } from '../../support/change-feed';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { CreateNotes1700000000000 } from '../../support/notes';
import { startAppOn } from '../provisioning/app';
import { type OnlineWorld, startOnlineWorld } from './online-world';
import { at } from '../../support/moves';

/** One of each that replication does not bring, or not by itself. */
class CreateShop1700000000001 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number int NOT NULL UNIQUE,
        doubled int GENERATED ALWAYS AS (number * 2) STORED);
      CREATE TABLE part (id int PRIMARY KEY, item_id int NOT NULL REFERENCES item ON DELETE CASCADE);
      CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
      CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (100);
      CREATE TABLE emptied (id int PRIMARY KEY);
      CREATE TABLE counted (number int PRIMARY KEY);
      CREATE SEQUENCE invoice START 1000;
      CREATE MATERIALIZED VIEW numbers AS SELECT count(*) AS items FROM item;
      CREATE FUNCTION count_item() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO counted VALUES (NEW.number); RETURN NULL; END';
      CREATE TRIGGER counts AFTER INSERT ON item FOR EACH ROW EXECUTE FUNCTION count_item();`);
  }

  async down(): Promise<void> {}
}

let world: OnlineWorld;
beforeAll(async () => {
  world = await startOnlineWorld({
    migrations: [CreateNotes1700000000000, CreateShop1700000000001],
    moves: { drainMs: 5_000, waitMs: 2_000 },
  });
});
afterAll(() => world.close());

const EU = { server: 'eu' };
const PRINT = `SELECT (SELECT json_agg(i ORDER BY id) FROM item i) AS items, (SELECT json_agg(p ORDER BY id) FROM part p) AS parts,
  (SELECT json_agg(p ORDER BY id) FROM parted p) AS parted, (SELECT count(*)::int FROM emptied) AS emptied,
  (SELECT count(*)::int FROM counted) AS counted`;

async function shop(slug: string): Promise<Tenant> {
  const tenant = await world.createAt(slug);
  await world.query(
    tenant,
    `INSERT INTO item (number) SELECT i FROM generate_series(1, 50) i;
     INSERT INTO part SELECT i, i FROM generate_series(1, 50) i;
     INSERT INTO parted SELECT i FROM generate_series(1, 50) i;
     INSERT INTO emptied SELECT i FROM generate_series(1, 50) i;
     REFRESH MATERIALIZED VIEW numbers`,
  );
  return tenant;
}

it('moves a tenant that is written to all the time, and loses nothing', async () => {
  const tenant = await shop('acme');
  const answered: number[] = [];
  let next = 1_000;
  let isOver = false;
  const write = async () => {
    while (!isOver) {
      const number = (next += 1);
      // As a client does that is told to come again.
      const work = () => world.query(tenant, `INSERT INTO item (number) VALUES (${number})`);
      for (;;) {
        try {
          await work();
          break;
        } catch (error) {
          if ((error as { statusCode?: number }).statusCode !== 503) throw error;
        }
      }
      answered.push(number);
    }
  };
  const writing = Promise.all([write(), write(), write()]);
  const states: string[] = [];
  const onProgress = async (move: Move) => {
    const isNew = move.state !== states.at(-1);
    if (isNew) states.push(move.state);
    // Each of these waits for no lock.
    if (move.state === 'copying' && move.progress.tables === 1)
      await world.query(
        tenant,
        `UPDATE item SET number = -id WHERE id <= 10; DELETE FROM item WHERE id > 40 AND id <= 50`,
      );
    if (move.state === 'following' && isNew)
      await world.query(
        tenant,
        `TRUNCATE emptied; INSERT INTO parted VALUES (99); INSERT INTO part VALUES (99, 1); SELECT nextval('invoice')`,
      );
  };
  const move = await world.mover.move('acme', EU, { onProgress, verify: 'rows' });
  const before = answered.length;
  isOver = true;
  await writing;
  expect(move).toMatchObject({ state: 'done', how: 'online', fallback: undefined });
  expect(states).toEqual(['planned', 'copying', 'following', 'fencing', 'cleaning']);
  expect(before).toBeGreaterThan(20);
  const [found] = await world.query<Record<string, unknown> & { items: { number: number }[] }>(tenant, PRINT);
  const numbers = found.items.map(({ number }) => number);
  expect(numbers.filter((number) => number > 1_000).sort()).toEqual([...answered].sort());
  expect(numbers.filter((number) => number < 0)).toHaveLength(10);
  expect(found).toMatchObject({ emptied: 0, counted: 50 + answered.length });
  expect([found.parts, found.parted]).toEqual([
    expect.arrayContaining([{ id: 99, item_id: 1 }]),
    expect.arrayContaining([{ id: 99 }]),
  ]);
  expect(await world.query(tenant, `SELECT nextval('invoice')::int AS number`)).toEqual([{ number: 1_001 }]);
  const [{ left }] = await world.databases.default.query<{ left: number }>(
    `SELECT count(*)::int AS left FROM moved_${tenant.schemaName}.item`,
  );
  expect(await world.query(tenant, 'SELECT items::int FROM numbers')).toEqual([{ items: left }]);
  expect(await world.links()).toEqual([]);
});

it('moves back, through the state in which nobody serves, with what was written at the new place', async () => {
  const tenant = await world.find('acme');
  await world.query(tenant, `INSERT INTO item (number) VALUES (777)`);
  const [before] = await world.query(tenant, PRINT);
  const states: string[] = [];
  await world.mover.move(
    'acme',
    { server: 'default' },
    { how: 'online', onProgress: ({ state }) => void states.push(state) },
  );
  expect(states).toContain('switching');
  expect(await world.query(tenant, PRINT)).toEqual([before]);
  expect(await world.links()).toEqual([]);
});

it('goes on serving until the tenant is put away, also what writes', async () => {
  const tenant = await shop('served');
  const done: string[] = [];
  const note = (text: string) => world.query(tenant, `INSERT INTO note (text) VALUES ('${text}')`);
  await world.mover.move('served', EU, {
    onProgress: async (move) => {
      const { state, progress } = move;
      if (state === 'fencing' || state === 'cleaning' || done.includes(`${state} ${progress.tables}`)) return;
      done.push(`${state} ${progress.tables}`);
      await note(`${state} ${progress.tables}`);
    },
  });
  expect(done.length).toBeGreaterThan(6);
  const kept = await world.query<{ text: string }>(tenant, 'SELECT text FROM note ORDER BY id');
  expect(kept.map(({ text }) => text)).toEqual(done);
});

it('waits for a transaction that has taken a number and then writes', async () => {
  const tenant = await shop('number');
  const { app } = world;
  let working: Promise<unknown> | undefined;
  const takeNumber = (isOpen: () => void) =>
    app.get(TenantContext).run(tenant, () =>
      app.get(TenantConnection).transaction(async (manager) => {
        await manager.query(`SELECT nextval('invoice')`);
        isOpen();
        const isWaitedFor = async () =>
          (
            await world.databases.default.query(
              `SELECT FROM pg_locks WHERE NOT granted AND relation = '${tenant.schemaName}.invoice'::regclass`,
            )
          ).length > 0;
        expect(await felt(isWaitedFor, 20_000)).toBeLessThan(Infinity);
        await manager.query(`INSERT INTO note (text) VALUES ('with a number')`);
      }),
    );
  const onProgress = at(
    'following',
    () => new Promise<void>((isOpen) => void (working = takeNumber(isOpen))),
  );
  await expect(world.mover.move('number', EU, { onProgress })).resolves.toMatchObject({
    ...{ state: 'done', how: 'online' },
  });
  await working;
  expect(await world.query(tenant, 'SELECT text FROM note')).toEqual([{ text: 'with a number' }]);
});

it('is undone when it is cancelled while it follows, and leaves nothing', async () => {
  const tenant = await shop('cancelled');
  const lags: number[] = [];
  const cancel = at('following', ({ id }) => world.mover.cancel(id, { actor: 'boss' }));
  // What is written from here on the new place does not know yet.
  const write = at('following', () => world.query(tenant, `UPDATE item SET number = number + 1000`));
  const onProgress = async (move: Move) => {
    const { lagBytes } = move.progress;
    if (lagBytes !== undefined) lags.push(lagBytes);
    // The new place may have it already.
    return lags.some((lag) => lag > 0) || lags.length > 10 ? cancel(move) : write(move);
  };
  await expect(world.mover.move('cancelled', EU, { onProgress })).rejects.toMatchObject({
    code: 'MOVE_FAILED',
    move: { state: 'failed', reason: 'It was cancelled by boss.' },
  });
  expect(lags.every(Number.isInteger) && lags.at(-1)! > 0).toBe(true);
  expect([await world.links(), await world.schemas('eu')]).toEqual([
    [],
    expect.not.arrayContaining([tenant.schemaName]),
  ]);
  await world.query(tenant, `UPDATE item SET number = -id`);
});

describe('where a tenant’s writes cannot go on, it stops them, and says why', () => {
  /** What stands in the way is refused when it is asked for, and is the reason when it is not. */
  async function reasons(slug: string): Promise<string> {
    const move = () => world.mover.move(slug, EU, { how: 'online' });
    const refusal = await move().then(
      () => 'moved',
      ({ code, message }: { code: string; message: string }) => `${code}: ${message}`,
    );
    expect(refusal).toMatch(/^MOVE_NOT_POSSIBLE: .* while its writes go on:\n/);
    const [, ...asked] = refusal.split('\n- ');
    const { how, fallback, state } = await world.mover.move(slug, EU);
    expect({ how, fallback, state }).toEqual({ how: 'stop', fallback: asked.join('; '), state: 'done' });
    expect(await world.query(await world.find(slug), 'SELECT count(*)::int AS items FROM item')).toEqual([
      { items: 50 },
    ]);
    return fallback!;
  }

  it('because of its tables, all of which it names', async () => {
    const tenant = await shop('tables');
    await world.query(
      tenant,
      `CREATE TABLE keyless (a int); ALTER TABLE emptied REPLICA IDENTITY NOTHING;
       CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY); ALTER TABLE item ENABLE ALWAYS TRIGGER counts`,
    );
    expect((await reasons('tables')).split('; ')).toEqual([
      'the table "emptied" has no primary key',
      expect.stringContaining('a trigger of the table "item" would fire') as string,
      'the table "keyless" has no primary key',
      'the table "unlogged" is unlogged',
    ]);
  });

  it('because the new server may not subscribe to the old one, without telling the password', async () => {
    await shop('closed');
    const { connectionText } = OwnSessions.prototype;
    jest.spyOn(OwnSessions.prototype, 'connectionText').mockImplementation(async function (
      this: OwnSessions,
      server,
    ) {
      const text = await connectionText.call(this, server);
      return text.replace(/password='.*?'/, `password='wrong-secret'`);
    });
    try {
      const why = await reasons('closed');
      expect(why).toMatch(
        /^the server "eu" cannot subscribe to "default": .*password authentication failed/s,
      );
      expect(why).not.toContain('wrong-secret');
    } finally {
      jest.restoreAllMocks();
    }
  });

  it('because no slot is free', async () => {
    await shop('full');
    const { us } = world.databases;
    await us.query(
      `SELECT pg_create_physical_replication_slot('s' || i)
       FROM generate_series(1, current_setting('max_replication_slots')::int) i`,
    );
    expect(await reasons('full')).toBe('the server "default" has no free slot (max_replication_slots)');
    await us.query(`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots`);
  });
});

it('needs no superuser, but the two rights that the documentation names', async () => {
  const { url } = world.server;
  const [home, eu] = [await createTestDatabase(url), await createTestDatabase(url)];
  await home.query(`CREATE ROLE plain LOGIN PASSWORD 'plain'`);
  const as = ({ url: own }: TestDatabase) =>
    Object.assign(new URL(own), { username: 'plain', password: 'plain' }).href;
  for (const database of [home, eu])
    await database.query(`ALTER DATABASE ${new URL(database.url).pathname.slice(1)} OWNER TO plain`);
  const { app, close } = await startAppOn(home, {
    database: { url: as(home), connectAttempts: 1 },
    servers: { eu: { url: as(eu) } },
  });
  try {
    await app.get(TenantProvisioner).create({ slug: 'acme' });
    const move = (server: string) => app.get(TenantMover).move('acme', { server });
    expect((await move('eu')).fallback).toContain('permission denied to create subscription');
    await home.query('GRANT pg_create_subscription TO plain');
    expect((await move('default')).fallback).toContain('permission denied to start WAL sender');
    await home.query('ALTER ROLE plain REPLICATION');
    expect(await move('eu')).toMatchObject({ how: 'online', state: 'done' });
  } finally {
    await close();
  }
});
