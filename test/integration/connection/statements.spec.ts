import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import Cursor from 'pg-cursor';
import { Query, type PoolClient, type QueryConfig } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import QueryStream from 'pg-query-stream';
import type { WireConnection } from '../../../lib/connection/protocol/pg-internals';
import { behindPooler } from '../../support/database';
import { twoTenants, type TwoTenants } from '../../support/two-tenants';

/** One connection serves both, so whatever one leaves behind the other would find. */
describe('Every kind of statement runs for its tenant', () => {
  let world: TwoTenants;

  beforeAll(async () => {
    world = await twoTenants(1);
  });
  afterAll(() => world.close());
  let destroyedBefore: unknown;
  beforeEach(async () => {
    await world.reset();
    destroyedBefore = world.pool.destroyedByCause;
  });

  /** What `work` gives with a client lent to each tenant, one after the other and again. */
  async function forEach<T>(work: (client: PoolClient, slug: string) => Promise<T>): Promise<void> {
    for (const tenant of [world.acme, world.globex, world.acme, world.globex]) {
      await world.context.run(tenant, async () => {
        const client = await world.pool.connect();
        try {
          await work(client, tenant.slug);
        } finally {
          client.release();
        }
      });
    }
  }

  const SELECT = 'SELECT owner FROM note WHERE id = $1';

  it.each<[string, QueryConfig & Record<string, unknown>, unknown]>([
    ['parameters', { text: SELECT, values: [1] }, [{ owner: undefined }]],
    ['a name', { name: 'select-owner', text: SELECT, values: [1] }, [{ owner: undefined }]],
    ['rowMode array', { text: SELECT, values: [1], rowMode: 'array' }, [[undefined]]],
    ['binary results', { text: SELECT, values: [1], binary: true }, [{ owner: undefined }]],
    ['rows in portions', { text: SELECT, values: [1], rows: 10 }, [{ owner: undefined }]],
    [
      'the extended protocol',
      { text: 'SELECT owner FROM note', queryMode: 'extended' },
      [{ owner: undefined }],
    ],
    [
      'types of its own',
      { text: SELECT, values: [1], types: { getTypeParser: () => (v: string) => v } },
      [{ owner: undefined }],
    ],
    ['a query_timeout', { text: SELECT, values: [1], query_timeout: 10_000 }, [{ owner: undefined }]],
  ])('with %s', async (_what, config, shape) => {
    await forEach(async (client, slug) => {
      const { rows, rowCount, command } = await client.query({ ...config });
      const expected = JSON.parse(
        JSON.stringify(shape, (_key, value) => (value === undefined ? slug : value)),
      );
      expect({ rows, rowCount, command }).toEqual({ rows: expected, rowCount: 1, command: 'SELECT' });
    });
  });

  it('with several statements in one text: one result for each', async () => {
    await forEach(async (client, slug) => {
      const results = (await client.query('SELECT owner FROM note; SELECT 2 AS two;')) as unknown as {
        rows: unknown[];
      }[];
      expect(results.map(({ rows }) => rows)).toEqual([[{ owner: slug }], [{ two: 2 }]]);
    });
  });

  it.each(['', ' ', ';', '-- nothing', '/* nothing */'])('with nothing in it: %j', async (text) => {
    await forEach(async (client) => {
      await expect(client.query(text)).resolves.toMatchObject({ rows: [], rowCount: null });
    });
  });

  it('with a semicolon in a string', async () => {
    await forEach(async (client, slug) => {
      await expect(client.query("SELECT owner, 'a; b' AS text FROM note")).resolves.toMatchObject({
        rows: [{ owner: slug, text: 'a; b' }],
        command: 'SELECT',
      });
    });
  });

  it('through a cursor, portion by portion', async () => {
    await world.database.query(`INSERT INTO ${world.acme.schemaName}.note SELECT generate_series(2, 100)`);
    await world.database.query(`INSERT INTO ${world.globex.schemaName}.note SELECT generate_series(2, 100)`);
    await forEach(async (client, slug) => {
      const cursor = client.query(new Cursor('SELECT id, owner FROM note WHERE id >= $1 ORDER BY id', [1]));
      const first = await cursor.read(40);
      const rest = await cursor.read(1000);
      expect([...first, ...rest]).toEqual(
        Array.from({ length: 100 }, (_, i) => ({ id: i + 1, owner: slug })),
      );
      await cursor.close();
    });
    expect(world.pool.destroyedByCause).toEqual(destroyedBefore);
  });

  it('through a cursor that is closed before its end', async () => {
    await forEach(async (client, slug) => {
      const cursor = client.query(new Cursor('SELECT owner FROM note, generate_series(1, 1000)'));
      await expect(cursor.read(1)).resolves.toEqual([{ owner: slug }]);
      await cursor.close();
      await expect(client.query('SELECT owner FROM note')).resolves.toMatchObject({
        rows: [{ owner: slug }],
      });
    });
    expect(world.pool.destroyedByCause).toEqual(destroyedBefore);
  });

  it('through a cursor whose statement is wrong', async () => {
    await forEach(async (client, slug) => {
      const cursor = client.query(new Cursor('SELECT * FROM nowhere'));
      await expect(cursor.read(1)).rejects.toMatchObject({ code: '42P01' });
      await expect(client.query('SELECT owner FROM note')).resolves.toMatchObject({
        rows: [{ owner: slug }],
      });
    });
  });

  it.each<[string, (client: PoolClient, sql: string) => Promise<unknown>]>([
    ['a cursor', (client, sql) => client.query(new Cursor(sql)).read(1)],
    ['a stream', (client, sql) => client.query(new QueryStream(sql)).toArray()],
    [
      'an object of one’s own',
      (client, text) =>
        new Promise((_resolve, reject) => {
          client.query({
            text,
            submit: (connection: WireConnection) => void connection.query(text),
            handleError: reject,
            handleReadyForQuery: () => undefined,
          } as never);
        }),
    ],
  ])('refuses in words to wait for rows that nobody sends: COPY through %s', async (_what, ask) => {
    await forEach(async (client, slug) => {
      for (const begin of ['', 'BEGIN']) {
        if (begin) await client.query(begin);
        await expect(ask(client, 'COPY note FROM STDIN')).rejects.toThrow(
          /sends no rows: use pg-copy-streams/,
        );
        if (begin) await client.query('ROLLBACK');
        await expect(client.query('SELECT owner FROM note')).resolves.toMatchObject({
          rows: [{ owner: slug }],
        });
      }
    });
  });

  it('through a stream', async () => {
    await forEach(async (client, slug) => {
      const rows = await client.query(new QueryStream(SELECT, [1])).toArray();
      expect(rows).toEqual([{ owner: slug }]);
    });
  });

  it('through a stream whose connection is lost: it fails, and does not wait for ever', async () => {
    await world.context.run(world.acme, async () => {
      const client = await world.pool.connect();
      const [{ pid }] = (await client.query('SELECT pg_backend_pid() AS pid')).rows;
      const stream = client.query(new QueryStream('SELECT owner FROM note, generate_series(1, 100000)'));
      const read = (async () => {
        let count = 0;
        for await (const _row of stream) {
          if (count++ === 0) await world.database.query('SELECT pg_terminate_backend($1)', [pid]);
        }
        return count;
      })();
      await expect(read).rejects.toThrow();
      client.release();
    });
  });

  it('through a stream whose commit is refused: it fails', async () => {
    for (const { schemaName } of [world.acme, world.globex]) {
      await world.database.query(
        `CREATE TABLE IF NOT EXISTS ${schemaName}.later (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)`,
      );
    }
    await forEach(async (client, slug) => {
      const insert = new QueryStream('INSERT INTO later VALUES (1), (1) RETURNING id');
      await expect(client.query(insert).toArray()).rejects.toMatchObject({ code: '23505' });
      await expect(client.query('SELECT owner FROM note')).resolves.toMatchObject({
        rows: [{ owner: slug }],
      });
    });
    expect(world.pool.destroyedByCause).toEqual(destroyedBefore);
  });

  it('through a cursor and a stream in a transaction', async () => {
    await forEach(async (client, slug) => {
      await client.query('BEGIN');
      await client.query('UPDATE note SET id = 2');
      await expect(client.query(new QueryStream('SELECT * FROM note')).toArray()).resolves.toEqual([
        { id: 2, owner: slug },
      ]);
      const cursor = client.query(new Cursor('SELECT * FROM note'));
      await expect(cursor.read(5)).resolves.toEqual([{ id: 2, owner: slug }]);
      await cursor.close();
      await client.query('ROLLBACK');
    });
  });

  it.each([{ queryMode: 'extended' }, { name: 'serializable' }, { values: [] }])(
    'from BEGIN on, which may choose the isolation level however it is sent: %j',
    async (way) => {
      await forEach(async (client, slug) => {
        await client.query({ text: 'BEGIN ISOLATION LEVEL SERIALIZABLE', ...way });
        const { rows } = await client.query(
          "SELECT owner, current_setting('transaction_isolation') AS level FROM note",
        );
        expect(rows).toEqual([{ owner: slug, level: 'serializable' }]);
        await client.query('ROLLBACK');
      });
    },
  );

  it('through COPY, out and in', async () => {
    await forEach(async (client, slug) => {
      const out = client.query(copyTo('COPY note TO STDOUT'));
      expect(Buffer.concat(await out.toArray()).toString()).toBe(`1\t${slug}\n`);
      await pipeline(Readable.from([`2\t${slug}\n`]), client.query(copyFrom('COPY note FROM STDIN')));
      await expect(client.query('SELECT * FROM note ORDER BY id')).resolves.toMatchObject({
        rows: [
          { id: 1, owner: slug },
          { id: 2, owner: slug },
        ],
      });
      await client.query('DELETE FROM note WHERE id = 2');
    });
    expect(world.pool.destroyedByCause).toEqual(destroyedBefore);
  });

  it('through COPY in a transaction of the caller’s, who ends it', async () => {
    await forEach(async (client) => {
      await client.query('BEGIN');
      await pipeline(Readable.from(['2\tx\n']), client.query(copyFrom('COPY note FROM STDIN')));
      await client.query('ROLLBACK');
      await expect(client.query('SELECT id FROM note')).resolves.toMatchObject({ rows: [{ id: 1 }] });
    });
  });

  it('through COPY that fails: nothing is kept, and the connection is', async () => {
    await forEach(async (client, slug) => {
      await expect(
        pipeline(Readable.from(['2\tx\n1\tduplicate\n']), client.query(copyFrom('COPY note FROM STDIN'))),
      ).rejects.toMatchObject({ code: '23505' });
      await expect(client.query('SELECT * FROM note')).resolves.toMatchObject({
        rows: [{ id: 1, owner: slug }],
      });
    });
    expect(world.pool.destroyedByCause).toEqual(destroyedBefore);
  });

  it.each<string | QueryConfig>(['COPY note FROM STDIN', { text: 'COPY note FROM STDIN', values: [] }])(
    'through COPY without a stream, which is an error and leaves a connection that goes on: %j',
    async (config) => {
      await forEach(async (client, slug) => {
        for (const command of ['SELECT', 'BEGIN', 'ROLLBACK']) {
          await client.query(command);
          await expect(client.query(config)).rejects.toMatchObject({ code: '57014' });
        }
        await expect(client.query('SELECT owner FROM note')).resolves.toMatchObject({
          rows: [{ owner: slug }],
        });
      });
      expect(world.pool.destroyedByCause).toEqual(destroyedBefore);
    },
  );

  it('through COPY whose COMMIT fails: the stream says so', async () => {
    for (const { schemaName } of [world.acme, world.globex]) {
      await world.database.query(
        `CREATE TABLE IF NOT EXISTS ${schemaName}.late (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)`,
      );
    }
    await forEach(async (client) => {
      await expect(
        pipeline(Readable.from(['1\n1\n']), client.query(copyFrom('COPY late FROM STDIN'))),
      ).rejects.toMatchObject({ code: '23505' });
      await expect(client.query('SELECT * FROM late')).resolves.toMatchObject({ rows: [] });
    });
  });

  it('through COPY whose connection says goodbye as it begins: the stream says so, and nothing else breaks', async () => {
    const client = await world.context.run(world.acme, () => world.pool.connect());
    const goodbye = errorResponse('57P01', 'terminating connection due to administrator command');
    const { stream } = (client as unknown as { connection: { stream: Readable } }).connection;
    const push = stream.push.bind(stream);
    // A pooler passes on what a terminated backend said, in one piece with the answer before, and adds a word of its own.
    stream.push = (chunk: Buffer | null) => {
      stream.push = push;
      setImmediate(() => stream.destroyed || push(goodbye));
      return push(Buffer.concat([chunk ?? Buffer.alloc(0), goodbye]));
    };
    const out = world.context.run(world.acme, () => client.query(copyTo('COPY note TO STDOUT')));
    await expect(out.toArray()).rejects.toMatchObject({ code: '57P01' });
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    client.release();
    await expect(world.query(world.globex, 'SELECT owner FROM note')).resolves.toEqual([{ owner: 'globex' }]);
  });

  it('through a pg.Query of the caller’s own', async () => {
    await forEach(async (client, slug) => {
      const rows = await new Promise((resolve, reject) => {
        const query = client.query(new Query('SELECT owner FROM note'));
        const seen: unknown[] = [];
        query.on('row', (row) => seen.push(row));
        query.on('error', reject);
        query.on('end', () => resolve(seen));
      });
      expect(rows).toEqual([{ owner: slug }]);
    });
  });

  it('queued behind one another without waiting, transactions too', async () => {
    await forEach(async (client, slug) => {
      const results = await Promise.all([
        client.query('SELECT owner FROM note'),
        client.query('BEGIN'),
        client.query('INSERT INTO note (id) VALUES (2)'),
        client.query(new QueryStream('SELECT owner FROM note WHERE id = 2')).toArray(),
        client.query('ROLLBACK'),
        client.query('SELECT owner FROM note'),
      ]);
      expect(results[0].rows).toEqual([{ owner: slug }]);
      expect(results[3]).toEqual([{ owner: slug }]);
      expect(results[5].rows).toEqual([{ owner: slug }]);
    });
  });

  const listening = behindPooler
    ? 'LISTEN is accepted by a pooler, which may deliver nothing: its connection is not lent on'
    : 'LISTEN hears what the tenant is sent, and its connection is not lent on';
  it(listening, async () => {
    await world.context.run(world.acme, async () => {
      const client = await world.pool.connect();
      await client.query('LISTEN news');
      const heard = new Promise((resolve) => client.once('notification', resolve));
      await world.database.query("NOTIFY news, 'hello'");
      if (!behindPooler) await expect(heard).resolves.toMatchObject({ channel: 'news', payload: 'hello' });
      client.release();
    });
    expect(world.pool.totalCount).toBe(0);
  });

  it.each([
    'VACUUM note',
    'CREATE INDEX CONCURRENTLY note_owner ON note (owner)',
    'REINDEX TABLE CONCURRENTLY note',
  ])('what refuses a transaction is told how to run instead: %s', async (sql) => {
    await expect(world.query(world.acme, sql)).rejects.toMatchObject({
      code: '25001',
      message: expect.stringContaining('runAsSystem'),
    });
    const asSystem = sql.replace(/\bnote\b(?!_)/, `${world.acme.schemaName}.note`);
    await world.context.runAsSystem(() => world.dataSource.query(asSystem));
  });

  it('a text of the system’s is not sent twice: a part of it may have been committed', async () => {
    const note = `${world.acme.schemaName}.note`;
    const text = `INSERT INTO ${note} (id) SELECT max(id) + 1 FROM ${note}; COMMIT; VACUUM ${note}; SELECT 1`;
    await expect(world.context.runAsSystem(() => world.dataSource.query(text))).rejects.toMatchObject({
      code: '25001',
    });
    await expect(world.query(world.acme, 'SELECT count(*)::int AS n FROM note')).resolves.toEqual([{ n: 2 }]);
  });

  it('a missing function or type comes with the hint about extensions', async () => {
    await expect(world.query(world.acme, "SELECT similarity('a', 'b')")).rejects.toMatchObject({
      code: '42883',
      hint: expect.stringContaining('sharedSchemas'),
    });
    await expect(world.query(world.acme, "SELECT 'a'::citext")).rejects.toMatchObject({
      code: '42704',
      hint: expect.stringContaining('sharedSchemas'),
    });
  });
});

describe('A named statement', () => {
  let world: TwoTenants;

  beforeEach(async () => {
    world = await twoTenants(1);
  });
  afterEach(() => world.close());

  const named = (text: string) => ({ name: 'mine', text });
  const ask = (slug: 'acme' | 'globex', text: string) =>
    world.context.run(world[slug], () => world.pool.query(named(text)));

  /** How many Parse messages it takes. */
  const parsesOf = async (slug: 'acme' | 'globex', query: string | { name: string; text?: string }) => {
    world.wire.reset();
    await expect(
      world.context.run(world[slug], () => world.pool.query(query as string)),
    ).resolves.toMatchObject({
      rows: [{ owner: slug }],
    });
    expect(world.wire.roundTrips).toBe(1);
    return world.wire.messages.filter((type) => type === 'P').length;
  };

  const parsed = behindPooler
    ? 'is sent without its name behind a pooler'
    : 'is parsed once for each connection and tenant';
  it(parsed, async () => {
    const text = 'SELECT owner FROM note';
    const unnamed = await parsesOf('acme', text);
    const saved = behindPooler ? 0 : 1;
    for (const slug of ['acme', 'globex', 'acme'] as const) {
      // What another tenant had prepared is dropped by one more command, which is parsed.
      await expect(parsesOf(slug, named(text))).resolves.toBeGreaterThanOrEqual(unnamed);
      await expect(parsesOf(slug, named(text))).resolves.toBe(unnamed - saved);
      await expect(parsesOf(slug, { name: 'mine' })).resolves.toBe(unnamed - saved);
    }
  });

  it('is known by its name alone to nobody but the tenant that has sent it', async () => {
    await ask('acme', 'SELECT owner FROM note');
    const byName = { name: 'mine' } as never;
    await world.context.run(world.globex, async () => {
      await expect(world.pool.query(byName)).rejects.toThrow('No text of the statement "mine" is known');
    });
  });

  it('is sent again without its name when code of the same tenant has dropped it', async () => {
    await ask('acme', 'SELECT owner FROM note');
    await world.query(world.acme, "DO $$ BEGIN EXECUTE 'DEALLO' || 'CATE ALL'; END $$");
    await expect(ask('acme', 'SELECT owner FROM note')).resolves.toMatchObject({ rows: [{ owner: 'acme' }] });
  });

  it('whose Parse failed can be sent again', async () => {
    await world.context.run(world.acme, async () => {
      const client = await world.pool.connect();
      await expect(client.query(named('SELECT * FROM later'))).rejects.toMatchObject({ code: '42P01' });
      await world.database.query(`CREATE TABLE ${world.acme.schemaName}.later (id int)`);
      await expect(client.query(named('SELECT * FROM later'))).resolves.toMatchObject({ rows: [] });
      await expect(client.query(named('SELECT * FROM later'))).resolves.toMatchObject({ rows: [] });
      client.release();
    });
  });

  it('works for tenants whose columns differ, as they do in the middle of a rollout', async () => {
    await world.database.query(`ALTER TABLE ${world.globex.schemaName}.note ADD COLUMN added int DEFAULT 7`);
    for (let i = 0; i < 2; i++) {
      await expect(ask('acme', 'SELECT * FROM note')).resolves.toMatchObject({
        rows: [{ id: 1, owner: 'acme' }],
      });
      await expect(ask('globex', 'SELECT * FROM note')).resolves.toMatchObject({
        rows: [{ id: 1, owner: 'globex', added: 7 }],
      });
    }
  });

  it('stands for each tenant’s own text', async () => {
    for (const slug of ['acme', 'globex', 'acme'] as const)
      await expect(ask(slug, `SELECT owner, '${slug}' AS of FROM note`)).resolves.toMatchObject({
        rows: [{ owner: slug, of: slug }],
      });
  });

  it('is prepared in a transaction, too, after a first text that could not be read', async () => {
    const text = 'SELECT owner FROM note';
    await ask('acme', text);
    await world.context.run(world.globex, async () => {
      const client = await world.pool.connect();
      await expect(client.query('BEGIN; SELEC 1')).rejects.toMatchObject({ code: '42601' });
      await client.query('BEGIN');
      await expect(client.query(named(text))).resolves.toMatchObject({ rows: [{ owner: 'globex' }] });
      await client.query('COMMIT');
      client.release();
    });
  });

  const twoTexts = behindPooler ? 'may stand for two texts behind a pooler' : 'cannot stand for two texts';
  it(twoTexts, async () => {
    await world.context.run(world.acme, async () => {
      const client = await world.pool.connect();
      await client.query(named('SELECT 1'));
      const second = client.query(named('SELECT 2'));
      if (behindPooler) await expect(second).resolves.toMatchObject({ rowCount: 1 });
      else await expect(second).rejects.toThrow('must be unique');
      client.release();
    });
  });
});

/** PostgreSQL's ErrorResponse, as it comes over the wire. */
function errorResponse(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
  const header = Buffer.from('E\0\0\0\0');
  header.writeUInt32BE(fields.length + 4, 1);
  return Buffer.concat([header, fields]);
}
