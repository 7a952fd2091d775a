import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type PoolClient, Query, type QueryConfig } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import Cursor from 'pg-cursor';
import QueryStream from 'pg-query-stream';
import { TenantTransactions } from '../../../lib/connection/typeorm/tenant-transactions';
import { twoTenants, type TwoTenants } from '../../support/two-tenants';

const REFUSED = { code: 'TRANSACTION_COMMAND_REFUSED' };
const UNREADABLE = { code: 'SQL_UNREADABLE' };

/** Behind what a careless reader takes for something else. */
const HIDDEN_COMMITS = [
  "SELECT 'begin atomic'; COMMIT; SELECT 1",
  'SELECT 1 /* begin atomic */; COMMIT',
  'SELECT 1 /* /* /* */ */ */; COMMIT /* */',
  "SELECT E'a'\n '\\''; COMMIT --'",
  "SELECT U&'\\0041'; COMMIT",
  'SELECT $é$;$é$; COMMIT --$é$',
  'SELECT 1 --\r; COMMIT',
  'SELECT $\ud800$a$\ud801$; COMMIT; SELECT $\ud800$b$\ud801$',
  "SELECT b'1' AS b; COMMIT",
  'SELECT begin atomic FROM (SELECT 1) t (begin); COMMIT',
  'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END; COMMIT',
];

describe('A command that a text hides', () => {
  let world: TwoTenants;
  let transactions: TenantTransactions;

  beforeAll(async () => {
    world = await twoTenants(1, { connectTimeoutMS: 2_000 });
    transactions = new TenantTransactions(world.dataSource, world.context);
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset());

  const run = <T>(work: (client: PoolClient) => Promise<T>) =>
    world.context.run(world.acme, async () => {
      const client = await world.pool.connect();
      try {
        return await work(client);
      } finally {
        client.release();
      }
    });
  const ids = async () => {
    const rows = await world.query<{ id: number }[]>(world.acme, 'SELECT id FROM note ORDER BY id');
    return rows.map(({ id }) => id);
  };
  const insert = (client: PoolClient) => client.query('INSERT INTO note (id) VALUES (2)');
  /** Something is written in a shared transaction whose work then fails: nothing may be kept. */
  const inShared = (work: (client: PoolClient) => Promise<unknown>) =>
    world.context.run(world.acme, () =>
      transactions.run(async () => {
        const client = await world.pool.connect();
        await insert(client);
        await work(client);
        client.release();
        throw new Error('the end');
      }),
    );

  it.each(HIDDEN_COMMITS)('does not end a shared transaction: %j', async (text) => {
    const work = inShared((client) => expect(client.query(text)).rejects.toMatchObject(REFUSED));
    await expect(work).rejects.toThrow('the end');
    await expect(ids()).resolves.toEqual([1]);
  });

  it.each(["SELECT 'x; COMMIT", 'SELECT 1 /* /* */; COMMIT', 'SELECT (1; COMMIT', 'SELECT $a$; COMMIT; $b$'])(
    'is not guessed at in a shared transaction: %j',
    async (text) => {
      const work = inShared((client) => expect(client.query(text)).rejects.toMatchObject(UNREADABLE));
      await expect(work).rejects.toThrow('the end');
      await expect(ids()).resolves.toEqual([1]);
    },
  );

  const failureOf = (stream: Readable | NodeJS.WritableStream) =>
    new Promise((_resolve, reject) => (stream as Readable).on('error', reject).resume?.());
  it.each<[string, object, (client: PoolClient) => Promise<unknown>]>([
    [
      'a query of pg’s',
      REFUSED,
      (client) =>
        new Promise((resolve, reject) =>
          client.query(
            new Query('COMMIT', [], (error?: Error) => (error ? reject(error) : resolve(1))) as never,
          ),
        ),
    ],
    ['COPY', REFUSED, (client) => failureOf(client.query(copyFrom('COPY note FROM STDIN; COMMIT')))],
    ['a cursor', REFUSED, (client) => client.query(new Cursor('COMMIT')).read(1)],
    ['a stream', REFUSED, (client) => failureOf(client.query(new QueryStream('/* */ END')))],
    [
      'an object that does not tell its text',
      UNREADABLE,
      (client) =>
        new Promise((_resolve, reject) =>
          client.query({
            submit: (connection: { query(text: string): void }) => connection.query('COMMIT'),
            handleError: reject,
            handleReadyForQuery: () => reject(new Error('It was sent.')),
            handleCommandComplete: () => undefined,
          } as never),
        ),
    ],
  ])('does not end a shared transaction by %s', async (_what, refusal, send) => {
    const work = inShared((client) => expect(send(client)).rejects.toMatchObject(refusal));
    await expect(work).rejects.toThrow('the end');
    await expect(ids()).resolves.toEqual([1]);
  });

  it('does not end one transaction and begin another without a tenant by a cursor', async () => {
    await run(async (client) => {
      await client.query('BEGIN');
      await insert(client);
      const cursor = client.query(new Cursor('COMMIT AND CHAIN'));
      await expect(cursor.read(1)).rejects.toMatchObject(REFUSED);
      await client.query('ROLLBACK');
    });
    await expect(ids()).resolves.toEqual([1]);
  });

  it('does not end a shared transaction by its name alone', async () => {
    await run((client) => client.query({ name: 'known', text: 'COMMIT' }));
    const work = inShared((client) => client.query({ name: 'known', text: undefined } as never));
    await expect(work).rejects.toThrow('the end');
    await expect(ids()).resolves.toEqual([1]);
  });

  it('is read as the session reads backslashes', async () => {
    const work = inShared(async (client) => {
      await client.query('SET LOCAL standard_conforming_strings = off');
      await expect(client.query(String.raw`SELECT '\'; COMMIT; --' AS it`)).resolves.toMatchObject({
        rows: [{ it: "'; COMMIT; --" }],
      });
      await expect(client.query(String.raw`SELECT '\\'; COMMIT`)).rejects.toMatchObject(REFUSED);
    });
    await expect(work).rejects.toThrow('the end');
    await expect(ids()).resolves.toEqual([1]);
  });

  it('is not read where the session takes a letter and the quote’s escape for another letter', async () => {
    // The last byte of ぃ and a backslash are ソ in Shift JIS.
    const text = "SELECT E'\u3043\\'; COMMIT; --'";
    for (const send of [
      (client: PoolClient) => client.query(text),
      (client: PoolClient) => client.query(new Cursor(text)).read(1),
    ]) {
      const work = inShared(async (client) => {
        await client.query("SET LOCAL client_encoding = 'SJIS'");
        await expect(send(client)).rejects.toMatchObject(UNREADABLE);
        await client.query("SELECT 'ASCII'");
      });
      await expect(work).rejects.toThrow('the end');
      await expect(ids()).resolves.toEqual([1]);
    }
  });

  it.each(HIDDEN_COMMITS)('is carried on by the tenant: %j', async (text) => {
    await run(async (client) => {
      await client.query('BEGIN');
      await insert(client);
      await client.query(`${text}\n; SELECT owner FROM note`);
      await client.query('DROP FUNCTION IF EXISTS f');
    });
    await expect(ids()).resolves.toEqual([1, 2]);
  });

  it('leaves literals as they are', async () => {
    const texts = [
      "'begin atomic; COMMIT'",
      '$$/* begin atomic */; COMMIT$$',
      "E'a' --\n '\\'; BEGIN; COMMIT'",
    ];
    const results = await run((client) =>
      client.query(
        `SELECT owner FROM note; SELECT ${texts.map((each, i) => `${each} AS t${i}`).join(', ')}; SELECT 1`,
      ),
    );
    expect((results as unknown as { rows: unknown[] }[]).map(({ rows }) => rows)).toEqual([
      [{ owner: 'acme' }],
      [{ t0: 'begin atomic; COMMIT', t1: '/* begin atomic */; COMMIT', t2: "a'; BEGIN; COMMIT" }],
      [{ '?column?': 1 }],
    ]);
  });

  it('of a text that cannot be read does not end a transaction', async () => {
    await run(async (client) => {
      await client.query('BEGIN');
      await insert(client);
      await expect(client.query("SELECT 'x; COMMIT")).rejects.toMatchObject({ code: '42601' });
      await client.query('ROLLBACK');
    });
    await expect(ids()).resolves.toEqual([1]);
  });

  it('does not run what follows without the tenant: COPY', async () => {
    const copy = run((client) =>
      pipeline(Readable.from(['2\tx\n']), client.query(copyFrom('COPY note FROM STDIN; COMMIT; SELECT 1'))),
    );
    await expect(copy).rejects.toMatchObject(REFUSED);
    await expect(ids()).resolves.toEqual([1]);
  });

  it('begins the caller’s transaction by whatever object', async () => {
    await run(async (client) => {
      await new Promise((resolve, reject) =>
        client.query(
          new Query('BEGIN', [], (error?: Error) => (error ? reject(error) : resolve(1))) as never,
        ),
      );
      await insert(client);
      await client.query('ROLLBACK');
    });
    await expect(ids()).resolves.toEqual([1]);
  });

  it.each([
    { text: 'COMMIT AND CHAIN', queryMode: 'extended' },
    { name: 'on', text: 'COMMIT AND CHAIN' },
  ])('goes on as the tenant’s: %j', async (config) => {
    await run(async (client) => {
      await client.query('BEGIN');
      await insert(client);
      await client.query(config as QueryConfig);
      await expect(client.query('SELECT owner FROM note WHERE id = 1')).resolves.toMatchObject({
        rows: [{ owner: 'acme' }],
      });
      await client.query('ROLLBACK');
    });
    await expect(ids()).resolves.toEqual([1, 2]);
  });
});
