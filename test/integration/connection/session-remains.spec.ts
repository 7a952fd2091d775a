import { type PoolClient, Query } from 'pg';
import Cursor from 'pg-cursor';
import { from as copyFrom } from 'pg-copy-streams';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { behindPooler } from '../../support/database';
import { twoTenants, type TwoTenants } from '../../support/two-tenants';

describe('What a function of one tenant leaves in the session', () => {
  let world: TwoTenants;
  const run = <T>(work: () => Promise<T>, tenant = world.globex) => world.context.run(tenant, work);
  const borrowed: PoolClient[] = [];
  const borrow = async (tenant = world.globex): Promise<PoolClient> => {
    const client = await run(() => world.pool.connect(), tenant);
    borrowed.push(client);
    return client;
  };

  beforeAll(async () => {
    world = await twoTenants(1);
  });
  afterAll(() => world.close());
  // A test that fails in the middle would keep the only connection, and all that come would wait for it.
  afterEach(() => {
    for (const client of borrowed.splice(0)) {
      try {
        client.release(true);
      } catch {
        // It was released.
      }
    }
  });
  beforeEach(async () => {
    await world.reset();
    for (const tenant of [world.acme, world.globex]) {
      await world.query(
        tenant,
        `CREATE OR REPLACE FUNCTION report() RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN
           CREATE TEMP TABLE IF NOT EXISTS tmp_report (line text);
           INSERT INTO tmp_report SELECT owner FROM note;
           RETURN QUERY SELECT line FROM tmp_report;
         END $$`,
      );
      await world.query(
        tenant,
        `CREATE OR REPLACE FUNCTION hold() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
           EXECUTE 'DECLARE held CURSOR ' || 'WITH' || ' HOLD FOR SELECT owner FROM note';
         END $$`,
      );
    }
    await world.query(world.acme, 'SELECT report()');
  });

  const LEFT = {
    TimeZone: 'Asia/Tokyo',
    DateStyle: 'German',
    client_encoding: 'SJIS',
    standard_conforming_strings: 'off',
    default_transaction_read_only: 'on',
  };
  // Behind a pooler the session is the pooler's.
  // A pooler's sessions are not ours to destroy.
  if (!behindPooler)
    it.each(Object.entries(LEFT))(
      'is found when PostgreSQL tells of it, and the connection is destroyed: %s',
      async (name, value) => {
        const destroyed = () => world.pool.destroyedByCause['session state'] ?? 0;
        const set = `DO $$ BEGIN EXECUTE 'SE' || 'T ${name} = ''${value}'''; END $$`;
        const read = () => world.query(world.globex, `SELECT current_setting('${name}') AS is`);
        const before = await read();
        const destroyedBefore = destroyed();
        await world.query(world.acme, set);
        await expect(read()).resolves.toEqual(before);
        expect(destroyed()).toBe(destroyedBefore + 1);
        await world.query(world.acme, `SET LOCAL ${name} = '${value}'`);
        await run(async () => {
          const client = await world.pool.connect();
          await client.query(`BEGIN; SET LOCAL ${name} = '${value}'; SELECT 1`);
          await client.query('COMMIT');
          client.release();
        });
        expect(destroyed()).toBe(destroyedBefore + 1);
      },
    );

  it('is not what a listener for new connections has set', async () => {
    const other = await twoTenants(1);
    try {
      other.pool.on('connect', (client) => void client.query("SET TIME ZONE 'Asia/Tokyo'"));
      await other.context.run(other.acme, async () => {
        (await other.pool.connect()).release(true);
        for (let i = 0; i < 2; i++) await other.dataSource.query('SELECT owner FROM note');
      });
      expect(other.pool.destroyedByCause).toEqual({ 'told to': 1 });
    } finally {
      await other.close();
    }
  });

  const visible = "SELECT to_regclass('tmp_report') IS NOT NULL AS seen";

  it.each([
    ['a statement', (client: PoolClient) => client.query('SELECT report() AS line')],
    [
      'a statement with parameters',
      (client: PoolClient) => client.query('SELECT report() AS line WHERE $1', [true]),
    ],
    [
      'a named statement',
      (client: PoolClient) =>
        client.query({ name: 'report', text: 'SELECT report() AS line WHERE $1', values: [true] }),
    ],
    [
      'a transaction',
      async (client: PoolClient) => {
        await client.query('BEGIN ISOLATION LEVEL SERIALIZABLE');
        const result = await client.query('SELECT report() AS line');
        await client.query('COMMIT');
        return result;
      },
    ],
    [
      'several statements',
      async (client: PoolClient) => {
        const results = (await client.query('SELECT 1; SELECT report() AS line')) as unknown as {
          rows: unknown[];
        }[];
        return results[1];
      },
    ],
    [
      'a text that begins a transaction',
      async (client: PoolClient) => {
        const results = (await client.query('BEGIN; SELECT report() AS line; COMMIT')) as unknown as {
          rows: unknown[];
        }[];
        return results[1];
      },
    ],
    [
      'a cursor',
      async (client: PoolClient) => {
        const cursor = client.query(new Cursor('SELECT report() AS line'));
        const rows = await cursor.read(10);
        await cursor.close();
        return { rows };
      },
    ],
  ])('is not there for %s of the next one', async (_kind, ask) => {
    const client = await borrow();
    const result = await ask(client);
    expect(result.rows).toEqual([{ line: 'globex' }]);
    client.release();
  });

  it('is not there for a COPY of the next one', async () => {
    const client = await borrow();
    const into = client.query(copyFrom('COPY tmp_report FROM STDIN'));
    await expect(pipeline(Readable.from(['globex\n']), into)).rejects.toMatchObject({ code: '42P01' });
    client.release();
  });

  it('is not there for the system', async () => {
    const seen = await world.context.runAsSystem(() => world.dataSource.query(visible));
    expect(seen).toEqual([{ seen: false }]);
  });

  it('stays for the rest of the lease that made it, where the session is its own', async () => {
    if (behindPooler) return;
    const client = await borrow();
    await client.query('SELECT report()');
    await expect(client.query('SELECT count(*)::int AS n FROM tmp_report')).resolves.toMatchObject({
      rows: [{ n: 1 }],
    });
    await client.query('BEGIN');
    await expect(client.query(visible)).resolves.toMatchObject({ rows: [{ seen: true }] });
    await client.query('COMMIT');
    client.release();
  });

  it('is told apart from an error of the statement’s own', async () => {
    for (const text of ['SELEC 1', 'SELECT 1; SELEC 1', 'BEGIN; SELEC 1'])
      await expect(world.query(world.globex, text)).rejects.toMatchObject({ code: '42601' });
    const client = await borrow();
    await client.query('SELECT owner FROM note');
    await expect(client.query('SELECT 1 / 0')).rejects.toMatchObject({ code: '22012' });
    await expect(client.query('SELECT 1; SELECT 1 / 0')).rejects.toMatchObject({ code: '22012' });
    await expect(client.query('BEGIN; SELECT 1 / 0')).rejects.toMatchObject({ code: '22012' });
    await client.query('ROLLBACK');
    client.release();
    await expect(world.query(world.acme, 'SELECT 1 / 0')).rejects.toMatchObject({ code: '22012' });
  });

  it('runs nothing twice, and nothing in a session that is not clean', async () => {
    const client = await borrow();
    await client.query("INSERT INTO note VALUES (2, 'one')");
    client.release();
    await world.query(world.acme, 'SELECT report()');
    await world.query(
      world.globex,
      "INSERT INTO note VALUES (3, 'two'); INSERT INTO note VALUES (4, 'three')",
    );
    await expect(world.query(world.globex, 'SELECT id FROM note ORDER BY id')).resolves.toHaveLength(4);
  });

  it('a cursor that is held: its rows are nobody else’s', async () => {
    for (const begin of [[], ['BEGIN']]) {
      await world.query(world.acme, 'SELECT hold()');
      const client = await borrow();
      for (const text of begin) await client.query(text);
      await expect(client.query('FETCH ALL FROM held')).rejects.toMatchObject({ code: '34000' });
      client.release();
    }
  });

  it('is not there after a first statement that failed, with which the temporary tables came back', async () => {
    for (const fails of ['SELECT 1 / 0', 'SELECT 1; SELECT 1 / 0']) {
      await world.query(world.acme, 'SELECT report()');
      const client = await borrow();
      await expect(client.query(fails)).rejects.toMatchObject({ code: '22012' });
      await expect(client.query(visible)).resolves.toMatchObject({ rows: [{ seen: false }] });
      client.release();
    }
  });

  it('is not there after a first statement that rolls back', async () => {
    const code =
      "DO $$ BEGIN ROLLBACK; IF to_regclass('pg_temp.tmp_report') IS NOT NULL THEN RAISE 'seen'; END IF; END $$";
    for (const first of ['ROLLBACK', 'abort', new Cursor('ROLLBACK'), code, 'DO $$ BEGIN ROLLBACK; END $$']) {
      await world.query(world.acme, 'SELECT report()');
      const client = await borrow();
      if (typeof first !== 'string') await client.query(first).read(1);
      // PostgreSQL 18 refuses code that ends a transaction.
      else await client.query(first).catch((error) => expect(error).toMatchObject({ code: '2D000' }));
      const { rows } = await client.query<{ seen: boolean }>(visible);
      client.release();
      expect(rows).toEqual([{ seen: false }]);
    }
  });

  it('a path, and nobody else reads where it leads', async () => {
    await world.query(
      world.globex,
      'CREATE PROCEDURE ends() LANGUAGE plpgsql AS $$ BEGIN COMMIT; PERFORM owner FROM note; END $$',
    );
    for (const text of ['CALL ends()', 'DO $$ BEGIN COMMIT; PERFORM owner FROM note; END $$']) {
      await world.query(
        world.acme,
        "DO $$ BEGIN PERFORM set_config('search_path', current_schema(), ('fal' || 'se')::bool); END $$",
      );
      const error = await world.query(world.globex, text).catch((failure: unknown) => failure);
      // PostgreSQL 15 lets it commit, and then it has no path.
      expect(['42P01', '2D000']).toContain((error as { code?: string }).code);
    }
  });

  describe('a prepared statement', () => {
    /** Replaces all that the session has by one that reads the rows of whoever replaces them. */
    const STEAL = `CREATE OR REPLACE FUNCTION steal() RETURNS void LANGUAGE plpgsql AS $$
      DECLARE each text;
      BEGIN
        FOR each IN SELECT name FROM pg_prepared_statements LOOP
          EXECUTE format('DEALLO' || 'CATE %I', each);
          EXECUTE format('PRE' || 'PARE %I AS SELECT owner FROM %I.note', each, current_schema());
        END LOOP;
      END $$`;
    const named = { name: 'mine', text: 'SELECT owner FROM note' };
    const ask = async (tenant = world.globex) =>
      (await run(() => world.pool.query(named), tenant)).rows as unknown;

    beforeEach(() => world.query(world.acme, STEAL));

    it('of ours is never there to be replaced', async () => {
      await world.query(world.globex, 'SELECT owner FROM note');
      await expect(world.query(world.acme, 'SELECT name FROM pg_prepared_statements')).resolves.toEqual([]);
      await world.query(world.acme, 'SELECT steal()');
      await expect(world.query(world.globex, 'SELECT owner FROM note')).resolves.toEqual([
        { owner: 'globex' },
      ]);
    });

    it('by a name that the application has not used yet', async () => {
      if (behindPooler) return;
      for (const begin of [[], ['BEGIN'], ['BEGIN', 'SELECT 1']]) {
        // A session in which nothing has been sent by name.
        (await borrow()).release(true);
        const name = `first of ${begin.length}`;
        await world.query(world.acme, `DO $$ BEGIN EXECUTE 'PRE' || 'PARE "${name}" AS SELECT 1'; END $$`);
        const client = await borrow();
        for (const text of begin) await client.query(text);
        const { rows } = await client
          .query({ name, text: 'SELECT owner FROM note' })
          .finally(() => client.release(begin.length > 0));
        expect(rows).toEqual([{ owner: 'globex' }]);
      }
    });

    it('of the application’s, which is then prepared anew', async () => {
      await expect(ask()).resolves.toEqual([{ owner: 'globex' }]);
      await expect(ask(world.acme)).resolves.toEqual([{ owner: 'acme' }]);
      await world.query(world.acme, 'SELECT steal()');
      await expect(ask()).resolves.toEqual([{ owner: 'globex' }]);
      await world.query(world.acme, 'SELECT steal()');
      await run(async () => {
        const client = await world.pool.connect();
        await client.query('BEGIN');
        await expect(client.query(named)).resolves.toMatchObject({ rows: [{ owner: 'globex' }] });
        await client.query('COMMIT');
        client.release();
      });
    });
  });

  it('a prepared statement in the place of what a pg.Query has named', async () => {
    const named = { name: 'mine', text: 'SELECT owner FROM note' };
    const ask = async (client: PoolClient) => {
      const query = client.query(new Query<{ owner: string }>(named));
      const seen: unknown[] = [];
      query.on('row', (row) => seen.push(row));
      await once(query, 'end');
      return seen;
    };
    const replace = `PRE' || 'PARE mine AS SELECT owner FROM ${world.acme.schemaName}.note`;
    const client = await borrow(world.acme);
    await expect(run(() => ask(client), world.acme)).resolves.toEqual([{ owner: 'acme' }]);
    await run(async () => {
      await client.query("DO $$ BEGIN EXECUTE 'DEALLO' || 'CATE ALL'; END $$");
      await client.query(`DO $$ BEGIN EXECUTE '${replace}'; END $$`);
    }, world.acme);
    client.release();
    const next = await borrow();
    await run(async () => {
      await expect(ask(next)).resolves.toEqual([{ owner: 'globex' }]);
      await next.query('BEGIN');
      await expect(ask(next)).resolves.toEqual([{ owner: 'globex' }]);
      await expect(next.query(named)).resolves.toMatchObject({ rows: [{ owner: 'globex' }] });
      await next.query('COMMIT');
    });
    next.release();
  });

  it('costs no connection', async () => {
    const before = { ...world.pool.destroyedByCause };
    await world.query(world.globex, 'SELECT 1');
    await world.query(world.acme, 'SELECT report()');
    await world.query(world.globex, 'SELECT 1');
    expect(world.pool.destroyedByCause).toEqual(before);
  });
});
