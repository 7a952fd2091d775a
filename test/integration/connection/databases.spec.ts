import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { PoolClient, PoolConfig } from 'pg';
import { Sessions } from '../../../lib/connection/pool/sessions';
import { TenantPool } from '../../../lib/connection/pool/tenant-pool';
import { backgroundClock } from '../../../lib/common/clock';
import { TenantContext } from '../../../lib/context/tenant-context';
import { InMemoryTenantStore } from '../../../lib/registry/store/in-memory-tenant.store';
import type { Tenant } from '../../../lib/registry/tenant';
import { placesOf } from '../../support/places';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { ManualClock, settled } from '../../support/manual-clock';
import { makeTenant } from '../../support/tenants';
import { tapWire } from '../../support/wire-tap';

/** PostgreSQL itself refuses more sessions than these. */
const ROOM = 3;

describe('A server with a database for each tenant', () => {
  const suffix = randomBytes(6).toString('hex');
  const role = `limited_${suffix}`;
  const tenants = ['a', 'b', 'c', 'd', 'e'].map((slug) =>
    makeTenant(slug, { schemaName: `t_${slug}_${suffix}` }),
  );
  const [a, b, c] = tenants;
  const context = new TenantContext(new InMemoryTenantStore());
  let server: TestDatabase;
  let pool: TenantPool;

  beforeAll(async () => {
    server = await createTestDatabase();
    await server.query(`CREATE ROLE ${role} LOGIN PASSWORD 'p' CONNECTION LIMIT ${ROOM}`);
    for (const { slug, schemaName } of tenants) {
      await server.query(`CREATE DATABASE ${schemaName} TEMPLATE template0 STRATEGY file_copy OWNER ${role}`);
      const own = new TenantPool(toServer({ user: undefined, database: schemaName }), { context });
      await context.runAsSystem(() =>
        own.query(`CREATE SCHEMA ${schemaName} AUTHORIZATION ${role};
          CREATE TABLE ${schemaName}.note AS SELECT '${slug}' AS owner; ALTER TABLE ${schemaName}.note OWNER TO ${role}`),
      );
      await own.end();
    }
  }, 60_000);
  afterEach(async () => {
    if (!pool.ending) await pool.end();
    while ((await sessions()) > 0) await wait(5);
  });
  afterAll(async () => {
    for (const { schemaName } of tenants) await server.query(`DROP DATABASE ${schemaName} WITH (FORCE)`);
    await server.query(`DROP ROLE ${role}`);
    await server.drop();
    context.onApplicationShutdown();
  });

  /** The way to the server by its parts, as the limited role. `user: undefined`: as the superuser. */
  const toServer = (changes: PoolConfig = {}): PoolConfig => {
    const { hostname, port, username, password, pathname } = new URL(server.url);
    const isOwner = 'user' in changes && changes.user === undefined;
    return {
      host: hostname,
      port: Number(port),
      database: pathname.slice(1),
      ...changes,
      user: isOwner ? username : role,
      password: isOwner ? decodeURIComponent(password) : 'p',
    };
  };
  const open = (config: PoolConfig, max = ROOM): void => {
    pool = new TenantPool(
      { max, ...config },
      { context, placements: placesOf(() => ({ server: 'default', isolation: 'database' })) },
    );
    pool.on('error', () => undefined);
  };
  const borrow = (tenant: Tenant): Promise<PoolClient> => context.run(tenant, () => pool.connect());
  /** Who owns the rows that are found for a tenant, and the session that found them. */
  const find = async (tenant: Tenant) => {
    const sql = 'SELECT owner, current_database() AS database, pg_backend_pid() AS pid FROM note';
    const { rows } = await context.run(tenant, () =>
      pool.query<{ owner: string; database: string; pid: number }>(sql),
    );
    return rows[0];
  };
  const sessions = async (): Promise<number> => {
    const [{ count }] = await server.query<{ count: number }>(
      'SELECT count(*)::int FROM pg_stat_activity WHERE usename = $1',
      [role],
    );
    return count;
  };

  it.each<[string, () => PoolConfig]>([
    ['its parts', () => toServer()],
    [
      'a URL',
      () => ({
        connectionString: Object.assign(new URL(server.url), { username: role, password: 'p' }).href,
      }),
    ],
  ])('has never more sessions than there may be in one pool, named by %s', async (_how, config) => {
    open(config());
    const asked = Array.from({ length: 100 }, (_, i) => tenants[(i * 7) % tenants.length]);
    const found = await Promise.all(asked.map(find));
    expect(found.map(({ owner }) => owner)).toEqual(asked.map(({ slug }) => slug));
    expect(found.map(({ database }) => database)).toEqual(asked.map(({ schemaName }) => schemaName));
    expect(pool.totalCount).toBeLessThanOrEqual(ROOM);
    expect(await sessions()).toBeLessThanOrEqual(ROOM);
  });

  it('opens a session in a wanted database only when none there is idle', async () => {
    open(toServer());
    const first = [await find(a), await find(b), await find(c)];
    const again = [await find(a), await find(c), await find(b), await find(a)];
    const [ofA, ofB, ofC] = first.map(({ pid }) => pid);
    expect(again.map(({ pid }) => pid)).toEqual([ofA, ofC, ofB, ofA]);
    expect(pool.idleCount).toBe(3);
  });

  it('closes the session of the database that was used least lately', async () => {
    open(toServer(), 2);
    const before = [await find(a), await find(b), await find(a)].map(({ pid }) => pid);
    const ofC = (await find(c)).pid;
    expect([(await find(a)).pid, (await find(c)).pid]).toEqual([before[0], ofC]);
    expect((await find(b)).pid).not.toBe(before[1]);
  });

  it.each<[string, Tenant[], Tenant[]]>([
    ['is promised', [a, b, c], [a, a]],
    ['will be opened', [a, b], [a, a, c]],
  ])('counts what %s already when several ask at once', async (_what, before, atOnce) => {
    open(toServer());
    for (const tenant of before) await find(tenant);
    const found = await Promise.all(atOnce.map(find));
    expect(found.map(({ owner }) => owner)).toEqual(atOnce.map(({ slug }) => slug));
  });

  it('closes the second session of a database before the only one of another', async () => {
    open(toServer());
    await find(a);
    const held = [await borrow(b), await borrow(b)];
    for (const client of held) client.release();
    const ofA = (await find(a)).pid;
    await find(b);
    await find(c);
    // That of a was idle for longer than those of b.
    expect((await find(a)).pid).toBe(ofA);
  });

  it('gives a tenant with a database no more than its share of the sessions', async () => {
    pool = new TenantPool(
      { ...toServer(), max: ROOM },
      {
        context,
        maxConnectionsPerDatabase: 2,
        placements: placesOf(() => ({ server: 'default', isolation: 'database' })),
      },
    );
    const held = [await borrow(a), await borrow(a)];
    const third = borrow(a);
    await settled();
    expect(pool.waiting).toBe(1);
    expect((await find(b)).owner).toBe('b');
    held[0].release();
    (await third).release();
    held[1].release();
  });

  it('closes none that is lent, and lets none wait for it', async () => {
    open(toServer(), 2);
    const held = await borrow(a);
    expect((await find(b)).owner).toBe('b');
    expect((await find(c)).owner).toBe('c');
    await expect(context.run(a, () => held.query('SELECT owner FROM note'))).resolves.toMatchObject({
      rows: [{ owner: 'a' }],
    });
    held.release();
  });

  it('does the work of the system in the database that is named, and what is within it there, too', async () => {
    open(toServer());
    const where = async () => {
      const { rows } = await pool.query<{ name: string }>('SELECT current_database() AS name');
      return rows[0].name;
    };
    const inA = { server: 'default', database: a.schemaName };
    const main = new URL(server.url).pathname.slice(1);
    expect(await context.runAsSystem(where, inA)).toBe(a.schemaName);
    expect(await context.runInSchema(a.schemaName, where, inA)).toBe(a.schemaName);
    expect(await context.runAsSystem(() => context.runAsSystem(where), inA)).toBe(a.schemaName);
    expect(await context.runAsSystem(() => context.runAsSystem(where, 'default'), inA)).toBe(main);
    expect(await context.run(a, () => context.runAsSystem(where))).toBe(main);
  });

  it('refuses to work in one database on a connection of another', async () => {
    open(toServer());
    const inA = { server: 'default', database: a.schemaName };
    const held = await context.runAsSystem(() => pool.connect(), inA);
    await expect(context.runAsSystem(() => held.query('SELECT 1'))).rejects.toMatchObject({
      code: 'TENANT_CONTEXT_MISMATCH',
    });
    await expect(context.runAsSystem(() => held.query('SELECT 1'), inA)).resolves.toBeDefined();
    held.release();
  });

  it('forgets databases without a session', async () => {
    open(toServer(), 1);
    for (const tenant of [...tenants, ...tenants]) await find(tenant);
    const { pools } = pool.servers.get('default')!.sessions;
    // That of the server's own options, and the one that was closed for the last.
    expect(pools.length).toBeLessThanOrEqual(3);
  });

  it('tells of a database that is not there, and goes on', async () => {
    open(toServer(), 1);
    await find(a);
    await expect(find(makeTenant('gone', { schemaName: `gone_${suffix}` }))).rejects.toMatchObject({
      code: '3D000',
    });
    expect((await find(b)).owner).toBe('b');
  });

  it('lets nobody wait when the server does not say goodbye', async () => {
    const wire = await tapWire(server.url);
    const clock = new ManualClock();
    const { port } = new URL(wire.url);
    pool = new TenantPool(
      { ...toServer({ host: '127.0.0.1', port: Number(port) }), max: 1 },
      { context, clock, placements: placesOf(() => ({ server: 'default', isolation: 'database' })) },
    );
    await find(a);
    wire.freeze();
    const next = find(b);
    await settled();
    await clock.advance(1_000);
    expect((await next).owner).toBe('b');
    await pool.end();
    await wire.close();
  });

  it('answers who waits for a session to be closed when it is ended, and opens none after', async () => {
    open(toServer(), 1);
    await find(a);
    const waiting = expect(find(b)).rejects.toMatchObject({ code: 'TENANCY_UNAVAILABLE' });
    await settled();
    await pool.end();
    await waiting;
    await expect(find(c)).rejects.toMatchObject({ code: 'TENANCY_UNAVAILABLE' });
    expect(pool.totalCount).toBe(0);
  });

  it('ends the sessions in all databases', async () => {
    open(toServer());
    await Promise.all([find(a), find(b), find(c)]);
    expect(await sessions()).toBe(3);
    await pool.end();
    while ((await sessions()) > 0) await wait(5);
    await expect(pool.end()).rejects.toThrow('Called end on pool more than once');
  });
});

it.each([
  ['socket:/nowhere?db=first&encoding=utf8', 'socket:/nowhere?db=other&encoding=utf8'],
  ['postgres://u:p@127.0.0.1:1/first?options=x', 'postgres://u:p@127.0.0.1:1/other?options=x'],
])('the URL %s leads to another database of the server', async (connectionString, expected) => {
  const context = new TenantContext(new InMemoryTenantStore());
  const events = new TenantPool({}, { context });
  const sessions = new Sessions({ connectionString }, { context, clock: backgroundClock, events });
  await new Promise<void>((resolve) => sessions.take('other', () => resolve()));
  expect(sessions.pools.map(({ options }) => options.connectionString)).toEqual([connectionString, expected]);
  context.onApplicationShutdown();
});
