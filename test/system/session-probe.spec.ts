import { Client, Pool } from 'pg';
import { probeSession, type SessionReport } from '../../lib/connection/protocol/session-probe';
import { createTestDatabase, type TestDatabase } from '../support/database';
import type { PgBouncerSettings } from '../support/system/pgbouncer';
import { startAnotherPgBouncer } from '../support/system/pgbouncer';
import { tapWire } from '../support/wire-tap';

describe('The probe at start', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database?.drop());

  async function probe(url: string, max = 10): Promise<SessionReport> {
    const pool = new Pool({ connectionString: url, max });
    try {
      return await probeSession(pool);
    } finally {
      await pool.end();
    }
  }

  async function behind(changes: PgBouncerSettings, work: (url: string) => Promise<unknown>): Promise<void> {
    const pooler = await startAnotherPgBouncer(changes);
    try {
      await work(database.urlOn(pooler.url));
    } finally {
      await pooler.stop();
    }
  }

  it('finds no pooler where there is none, in one round trip on one connection', async () => {
    const wire = await tapWire(database.url);
    const pool = new Pool({ connectionString: wire.url });
    try {
      await pool.query('SELECT 1');
      wire.reset();
      await expect(probeSession(pool)).resolves.toMatchObject({ pooler: 'none', directUrlNeeded: false });
      expect(wire.roundTrips).toBe(1);
      expect(wire.messages).toHaveLength(1);
    } finally {
      await pool.end();
      await wire.close();
    }
  });

  it.each<[string, PgBouncerSettings]>([
    ['one session', { default_pool_size: 1 }],
    ['many sessions', { default_pool_size: 20, min_pool_size: 5 }],
    ['statement mode', { pool_mode: 'statement' }],
  ])('knows a pooler that shares sessions: %s', (_kind, changes) =>
    behind(changes, async (url) => {
      await expect(probe(url)).resolves.toMatchObject({ pooler: 'transaction', directUrlNeeded: true });
    }),
  );

  it('knows it when its sessions serve in turn', () =>
    behind({ default_pool_size: 2, server_round_robin: 1 }, async (url) => {
      const others = new Pool({ connectionString: url, max: 2 });
      const busy = async () =>
        (await others.query('SELECT pg_backend_pid() AS pid, pg_sleep(0.2)')).rows[0].pid;
      expect(new Set(await Promise.all([busy(), busy()])).size).toBe(2);
      await expect(probe(url)).resolves.toMatchObject({ pooler: 'transaction' });
      await others.end();
    }));

  it('knows it through a pool of one connection', () =>
    behind({}, async (url) => {
      await expect(probe(url, 1)).resolves.toMatchObject({ pooler: 'transaction' });
    }));

  it('knows it while others keep the pooler busy', () =>
    behind({ default_pool_size: 4 }, async (url) => {
      const others = new Pool({ connectionString: url, max: 20 });
      let isOver = false;
      const work = Array.from({ length: 20 }, async () => {
        while (!isOver) await others.query('SELECT pg_sleep(0.001)');
      });
      await expect(probe(url)).resolves.toMatchObject({ pooler: 'transaction' });
      isOver = true;
      await Promise.all(work);
      await others.end();
    }));

  it('knows a pooler that keeps a session for its client', () =>
    behind({ pool_mode: 'session', default_pool_size: 5 }, async (url) => {
      await expect(probe(url)).resolves.toMatchObject({ pooler: 'session', directUrlNeeded: false });
    }));

  it('says that it does not know, when a pooler gives no further session, and takes it for one that shares', () =>
    behind({ pool_mode: 'session', default_pool_size: 1 }, async (url) => {
      await expect(probe(url)).resolves.toMatchObject({ pooler: 'unknown', directUrlNeeded: true });
    }));

  it('leaves nothing in the sessions it asks', () =>
    behind({ default_pool_size: 1 }, async (url) => {
      const state = 'SELECT name, setting FROM pg_settings ORDER BY name';
      const ask = async () => {
        const client = new Client({ connectionString: url });
        await client.connect();
        const { rows } = await client.query(state);
        await client.end();
        return rows;
      };
      const before = await ask();
      await probe(url);
      await expect(ask()).resolves.toEqual(before);
    }));

  it("takes the path of ALTER ROLE … SET search_path = '' for empty, and no other", async () => {
    await expect(probe(database.poolUrl)).resolves.toMatchObject({ sessionPathIsEmpty: true });
    await expect(probe(database.url)).resolves.toMatchObject({
      sessionPathIsEmpty: false,
      searchPath: '"$user", public',
    });
  });

  it.each(['-c search_path=', '-c search_path=public', '-c search_path=nowhere'])(
    'sees the path that a session is told to begin with: %s',
    async (options) => {
      const url = new URL(database.url);
      url.searchParams.set('options', options);
      const sessionPathIsEmpty = options.endsWith('=');
      await expect(probe(url.href)).resolves.toMatchObject({ sessionPathIsEmpty });
    },
  );
});
