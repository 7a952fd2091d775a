import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { from as copyFrom } from 'pg-copy-streams';
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
import { SpareRefill } from '../../../lib/provisioning/spares/spare-refill';
import { felt } from '../../support/change-feed';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import type { TestApp } from '../../support/test-app';
import { startAppOn } from '../provisioning/app';
import { startWay, type Way } from '../servers/world';
import { at } from '../../support/moves';

/** The registry, to which the way can be cut, and two servers that stay. */
let home: TestDatabase;
let way: Way;
let servers: Record<'eu' | 'us', TestDatabase>;
let app: TestApp['app'];
let close: () => Promise<void>;
beforeAll(async () => {
  home = await createTestDatabase();
  servers = { eu: await createTestDatabase(), us: await createTestDatabase() };
  way = await startWay(home);
  const running = await startAppOn(home, {
    database: { url: way.url, connectAttempts: 1 },
    servers: { eu: { url: servers.eu.url }, us: { url: servers.us.url } },
    spares: { count: 1 },
    moves: { drainMs: 600, waitMs: 500 },
  });
  app = running.app;
  await app.get(SpareRefill).refill();
  close = async () => {
    await running.close();
    await way.cut();
    for (const database of [home, servers.eu, servers.us]) await database.drop();
  };
});
afterAll(() => close());

const mover = () => app.get(TenantMover);
const sweep = () => app.get(MoveSweeper).sweep();
const query = <T = Record<string, unknown>>(tenant: Tenant, sql: string): Promise<T[]> =>
  app.get(TenantContext).run(tenant, () => app.get(TenantConnection).query<T[]>(sql));
const find = async (slug: string) =>
  (await app.get<TenantStore>(TenantStore).find({ by: 'slug', value: slug }))!;
const moveOf = async (slug: string) => (await mover().list(slug))[0];
/** A tenant with a row. */
async function create(slug: string): Promise<Tenant> {
  const tenant = await app.get(TenantProvisioner).create({ slug }, { place: { server: 'eu' } });
  await query(tenant, `INSERT INTO note (text) VALUES ('${slug}')`);
  return tenant;
}
/** Where the tenant's schema is, by its name. */
async function whereIs({ schemaName }: Tenant): Promise<string[]> {
  const found: string[] = [];
  for (const [server, database] of Object.entries(servers))
    if ((await database.query('SELECT FROM pg_namespace WHERE nspname = $1', [schemaName])).length > 0)
      found.push(server);
  return found;
}
async function expectServed(slug: string): Promise<void> {
  const tenant = await find(slug);
  expect(await query(tenant, 'SELECT text FROM note')).toEqual([{ text: slug }]);
  expect(await whereIs(tenant)).toEqual([tenant.place.server]);
}

describe('while the registry is away', () => {
  it.each(['planned', 'copying', 'copied', 'fencing', 'switching', 'cleaning'])(
    'a move that is %s guesses nothing, and is ended when it is back',
    async (state) => {
      const slug = `away-${state}`;
      await create(slug);
      const moving = mover().move(slug, { server: 'us' }, { onProgress: at(state, () => way.cut()) });
      const outcome = await moving.then(
        ({ state: end }) => end as string,
        ({ code }: { code: string }) => code,
      );
      const report = await sweep();
      expect(report.problems).not.toEqual([]);
      expect([report.ended, report.dropped]).toEqual([[], []]);
      await way.mend();
      const isOver = async () =>
        (await sweep()).problems.length === 0 && (await mover().listOpen()).length === 0;
      expect(await felt(isOver, 60_000)).toBeLessThan(Infinity);
      const isForward = state === 'switching' || state === 'cleaning';
      expect([outcome, (await moveOf(slug)).state, (await find(slug)).place.server]).toEqual([
        'MOVE_INTERRUPTED',
        ...(isForward ? ['done', 'us'] : ['failed', 'eu']),
      ]);
      await expectServed(slug);
    },
  );
});

it('fails when the disk of the new place is full, leaves nothing there, and goes well when it is not', async () => {
  const tenant = await create('full');
  await query(tenant, 'CREATE INDEX ON note (text)');
  // The table is made and filled by then; its index does not fit any more.
  await servers.us.query(`
    CREATE FUNCTION public.full() RETURNS event_trigger LANGUAGE plpgsql AS
      $$BEGIN RAISE EXCEPTION 'could not extend file "base/1/2": No space left on device' USING ERRCODE = 'disk_full'; END$$;
    CREATE EVENT TRIGGER full_disk ON ddl_command_end WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION public.full();
    ALTER EVENT TRIGGER full_disk ENABLE ALWAYS`);
  await expect(mover().move('full', { server: 'us' })).rejects.toMatchObject({
    code: 'MOVE_FAILED',
    message: expect.stringContaining('No space left on device') as string,
  });
  expect(await whereIs(tenant)).toEqual(['eu']);
  await servers.us.query('DROP EVENT TRIGGER full_disk');
  await expect(mover().move('full', { server: 'us' })).resolves.toMatchObject({ state: 'done' });
  await expectServed('full');
});

it.each(['copying', 'fencing'])(
  'does nothing more for a worker that stood still while %s, and whose move was taken over',
  async (state) => {
    const slug = `silent-${state}`;
    await create(slug);
    let goOn!: () => void;
    const stands = new Promise<void>((resolve) => (goOn = resolve));
    let isThere!: (move: Move) => void;
    const there = new Promise<Move>((resolve) => (isThere = resolve));
    const onProgress = at(state, (move) => (isThere(move), stands));
    const moving = mover().move(slug, { server: 'us' }, { onProgress });
    moving.catch(() => undefined);
    const { id } = await there;
    await home.query(`UPDATE tenancy.moves SET heartbeat_at = now() - interval '61 s' WHERE id = $1`, [id]);
    const swept = sweep();
    const isTaken = async () =>
      (
        await home.query(
          'SELECT FROM tenancy.moves WHERE id = $1 AND heartbeat_at > now() - interval $$50 s$$',
          [id],
        )
      ).length > 0;
    await felt(isTaken);
    goOn();
    await expect(moving).rejects.toMatchObject({ code: 'MOVE_LOST' });
    expect((await swept).ended.map(({ state: end }) => end)).toEqual(['failed']);
    expect(await find(slug)).toMatchObject({ place: { server: 'eu' } });
    await expectServed(slug);
  },
);

it('lets COPY and TRUNCATE do nothing that is not at the new place', async () => {
  const tenant = await create('bulk');
  const outcomes: Promise<string>[] = [];
  const outcome = (work: Promise<unknown>) =>
    work.then(
      () => 'done',
      ({ code }: { code: string }) => code,
    );
  const copy = () =>
    app.get(TenantContext).run(tenant, () =>
      app.get(TenantConnection).transaction(async ({ queryRunner }) => {
        const client = (await queryRunner!.connect()) as {
          query: (stream: unknown) => NodeJS.WritableStream;
        };
        await pipeline(Readable.from(['by copy\n']), client.query(copyFrom('COPY note (text) FROM STDIN')));
      }),
    );
  await mover().move(
    'bulk',
    { server: 'us' },
    {
      onProgress: at('copied', async () => {
        outcomes.push(outcome(query(tenant, 'TRUNCATE note')), outcome(copy()));
        const waiting = () =>
          servers.eu.query(
            `SELECT FROM pg_locks WHERE NOT granted AND relation = '${tenant.schemaName}.note'::regclass`,
          );
        for (let tries = 0; tries < 500 && (await waiting()).length < 2; tries += 1);
      }),
    },
  );
  // A stream fails with what PostgreSQL says: the table is not there any more.
  expect(await Promise.all(outcomes)).toEqual(['TENANT_MOVED', '42P01']);
  const left = `moved_${tenant.schemaName}.note`;
  expect(await servers.eu.query(`SELECT text FROM ${left}`)).toEqual([{ text: 'bulk' }]);
  for (const sql of [`TRUNCATE ${left}`, `INSERT INTO ${left} (text) VALUES ('late')`])
    await expect(servers.eu.query(sql)).rejects.toThrow('the tenant lives elsewhere');
  await expectServed('bulk');
});

it('takes over no move of a worker that lives, though the clock of the instance is a month ahead', async () => {
  await create('early');
  const ended: unknown[] = [];
  jest.useFakeTimers({
    now: Date.now() + 31 * 86_400_000,
    doNotFake: [
      'nextTick',
      'setImmediate',
      'setTimeout',
      'clearTimeout',
      'setInterval',
      'clearInterval',
      'performance',
    ],
  });
  try {
    const onProgress = async () => void ended.push(...(await sweep()).ended);
    await expect(mover().move('early', { server: 'us' }, { onProgress })).resolves.toMatchObject({
      state: 'done',
    });
    expect((await sweep()).dropped).toEqual([]);
  } finally {
    jest.useRealTimers();
  }
  expect(ended).toEqual([]);
  await expectServed('early');
});

it('has left the spares of all servers alone', async () => {
  for (const database of [servers.eu, servers.us]) {
    const [spare, ...others] = await database.query<{ there: boolean }>(
      `SELECT to_regnamespace(schema_name) IS NOT NULL AS there FROM tenancy.spares`,
    );
    expect([spare, others]).toEqual([{ there: true }, []]);
  }
});
