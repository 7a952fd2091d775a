import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Client, type PoolClient } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import Cursor from 'pg-cursor';
import { twoTenants, type TwoTenants } from '../../support/two-tenants';

const INSERT = "INSERT INTO note VALUES (2, 'globex')";

const ASKS: [string, (client: PoolClient) => Promise<unknown>][] = [
  ['a statement', (client) => client.query(INSERT)],
  ['a statement with parameters', (client) => client.query('INSERT INTO note VALUES ($1)', [2])],
  ['a named statement', (client) => client.query({ name: 'mine', text: INSERT })],
  ['several statements', (client) => client.query(`SELECT 1; ${INSERT}`)],
  ['a transaction', (client) => client.query('BEGIN')],
  ['a transaction in one text', (client) => client.query(`BEGIN; ${INSERT}; COMMIT`)],
  ['a cursor', (client) => client.query(new Cursor(`${INSERT} RETURNING id`)).read(10)],
  [
    'a COPY',
    (client) => pipeline(Readable.from(['2\tglobex\n']), client.query(copyFrom('COPY note FROM STDIN'))),
  ],
];

describe('A session that cannot be emptied', () => {
  let world: TwoTenants;
  /** Holds a lock on the temporary table of the session, so that it cannot be dropped. */
  let holder: Client;

  beforeAll(async () => {
    world = await twoTenants(1);
    await world.query(
      world.acme,
      `CREATE FUNCTION report() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
         CREATE TEMP TABLE tmp_report AS SELECT owner FROM note;
         PERFORM set_config('lock_timeout', '20ms', false);
       END $$`,
    );
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    await world.reset();
    holder = new Client(world.database.url);
    await holder.connect();
    await world.query(world.acme, 'SELECT report()');
    const [{ name }] = await world.database.query<{ name: string }>(
      "SELECT relnamespace::regnamespace || '.' || relname AS name FROM pg_class WHERE relname = 'tmp_report'",
    );
    await holder.query('BEGIN');
    await holder.query(`LOCK TABLE ${name} IN ACCESS SHARE MODE`);
  });
  afterEach(() => holder.end());

  const borrow = <T>(work: (client: PoolClient) => Promise<T>) =>
    world.context.run(world.globex, async () => {
      const client = await world.pool.connect();
      try {
        return await work(client);
      } finally {
        client.release();
      }
    });

  it.each(ASKS)('refuses %s, and nothing is run', async (_kind, ask) => {
    await borrow(async (client) => {
      await expect(ask(client)).rejects.toMatchObject({
        code: 'SESSION_NOT_CLEAN',
        statusCode: 503,
        headers: { 'Retry-After': expect.any(String) },
        cause: expect.objectContaining({ code: '55P03' }),
      });
    });
    await expect(world.query(world.globex, 'SELECT id, owner FROM note')).resolves.toEqual([
      { id: 1, owner: 'globex' },
    ]);
  });

  it('costs its connection, and the next one serves', async () => {
    const destroyed = () => world.pool.destroyedByCause['session state'] ?? 0;
    const before = destroyed();
    await expect(world.query(world.globex, 'SELECT owner FROM note')).rejects.toMatchObject({
      driverError: { code: 'SESSION_NOT_CLEAN' },
    });
    await expect(world.query(world.globex, 'SELECT owner FROM note')).resolves.toEqual([{ owner: 'globex' }]);
    // Not sooner: it ends with ReadyForQuery, which comes after the error.
    expect(destroyed()).toBe(before + 1);
  });

  it('serves as soon as it can be emptied', async () => {
    await borrow(async (client) => {
      await expect(client.query('SELECT owner FROM note')).rejects.toMatchObject({
        code: 'SESSION_NOT_CLEAN',
      });
      await holder.query('ROLLBACK');
      await expect(client.query('SELECT owner FROM note')).resolves.toMatchObject({
        rows: [{ owner: 'globex' }],
      });
    });
  });
});
