import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Client, type PoolClient } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import Cursor from 'pg-cursor';
import QueryStream from 'pg-query-stream';
import { twoTenants, type TwoTenants } from '../../support/two-tenants';

/** One connection serves both, so whatever a cancelled statement left behind the other would find. */
describe('A statement that is cancelled in the server', () => {
  let world: TwoTenants;
  let undo: () => Promise<unknown>;

  beforeAll(async () => {
    world = await twoTenants(1);
  });
  afterAll(() => world.close());
  let destroyedBefore: unknown;
  beforeEach(async () => {
    await world.reset();
    destroyedBefore = world.pool.destroyedByCause;
  });
  afterEach(() => undo());

  const READ = 'SELECT owner FROM note';
  const WRITE = 'INSERT INTO note (id) VALUES (2)';
  const schemaOf = async (client: PoolClient) =>
    (await client.query<{ schema: string }>('SELECT current_schema() AS schema')).rows[0].schema;
  const copyIn = (client: PoolClient) =>
    pipeline(Readable.from(['2\n']), client.query(copyFrom('COPY note (id) FROM STDIN')));

  /** Each makes a statement of acme's wait at one of its stages, and gives what lets it go on. */
  const STAGES = {
    'while it is parsed': async () => {
      const client = new Client({ connectionString: world.database.url });
      await client.connect();
      await client.query('BEGIN; LOCK TABLE t_acme.note IN ACCESS EXCLUSIVE MODE');
      return () => client.end();
    },
    'while it runs': async () => {
      await makeTrigger('BEFORE INSERT ON t_acme.note', 'TRIGGER');
      return dropTrigger;
    },
    'while it commits': async () => {
      await makeTrigger('AFTER INSERT ON t_acme.note DEFERRABLE INITIALLY DEFERRED', 'CONSTRAINT TRIGGER');
      return dropTrigger;
    },
  };

  function makeTrigger(when: string, kind: string): Promise<unknown> {
    return world.database.query(
      `CREATE FUNCTION t_acme.doze() RETURNS trigger LANGUAGE plpgsql
         AS 'BEGIN PERFORM pg_catalog.pg_sleep(600); RETURN NEW; END';
       CREATE ${kind} doze ${when} FOR EACH ROW EXECUTE FUNCTION t_acme.doze()`,
    );
  }
  const dropTrigger = () => world.database.query('DROP FUNCTION t_acme.doze() CASCADE');

  async function cancelWhoWaits(): Promise<void> {
    for (;;) {
      const { length } = await world.database.query(
        `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
           AND pid <> pg_backend_pid() AND (wait_event_type = 'Lock' OR wait_event = 'PgSleep')`,
      );
      if (length > 0) return;
    }
  }

  const WAYS: readonly (readonly [
    what: string,
    stage: keyof typeof STAGES,
    run: (client: PoolClient) => Promise<unknown>,
  ])[] = [
    ['a statement', 'while it is parsed', (client) => client.query(READ)],
    ['a named one', 'while it is parsed', (client) => client.query({ name: 'cancelled', text: READ })],
    ['one of several', 'while it is parsed', (client) => client.query(`SELECT 1; ${READ}`)],
    ['a cursor', 'while it is parsed', (client) => client.query(new Cursor(READ)).read(1)],
    ['a stream', 'while it is parsed', (client) => client.query(new QueryStream(READ)).toArray()],
    ['COPY out', 'while it is parsed', (client) => client.query(copyTo('COPY note TO STDOUT')).toArray()],
    ['COPY in', 'while it is parsed', copyIn],
    ['a statement', 'while it runs', (client) => client.query(WRITE)],
    ['one of several', 'while it runs', (client) => client.query(`${WRITE}; SELECT 1`)],
    ['a cursor', 'while it runs', (client) => client.query(new Cursor(`${WRITE} RETURNING id`)).read(1)],
    ['COPY in', 'while it runs', copyIn],
    ['a statement', 'while it commits', (client) => client.query(WRITE)],
    ['a COMMIT', 'while it commits', (client) => client.query(`BEGIN; ${WRITE}; COMMIT`)],
    ['COPY in', 'while it commits', copyIn],
  ];

  it.each(WAYS)('%s, %s, fails, and its connection serves on', async (_what, stage, run) => {
    undo = await STAGES[stage]();
    await world.context.run(world.acme, async () => {
      const client = await world.pool.connect();
      const answer = run(client);
      answer.catch(() => undefined);
      await cancelWhoWaits();
      await expect(answer).rejects.toMatchObject({ code: '57014' });
      await expect(schemaOf(client)).resolves.toBe('t_acme');
      client.release();
    });
    await expectAllWell();
  });

  it.each(['while it is parsed', 'while it runs'] as const)(
    'in a transaction, %s, fails it as a whole, and a savepoint saves what was before',
    async (stage) => {
      undo = await STAGES[stage]();
      await world.context.run(world.acme, async () => {
        const client = await world.pool.connect();
        await client.query('BEGIN');
        await client.query('SAVEPOINT before');
        const answer = client.query(WRITE);
        answer.catch(() => undefined);
        await cancelWhoWaits();
        await expect(answer).rejects.toMatchObject({ code: '57014' });
        await expect(client.query('SELECT 1')).rejects.toMatchObject({ code: '25P02' });
        await client.query('ROLLBACK TO SAVEPOINT before');
        await expect(schemaOf(client)).resolves.toBe('t_acme');
        await client.query('COMMIT');
        client.release();
      });
      await expectAllWell();
    },
  );

  /** Both read their own rows, nothing was kept of the cancelled one, and no connection was lost by it. */
  async function expectAllWell(): Promise<void> {
    await expect(world.query(world.globex, 'SELECT * FROM note')).resolves.toEqual([
      { id: 1, owner: 'globex' },
    ]);
    await undo();
    undo = () => Promise.resolve();
    await expect(world.query(world.acme, 'SELECT * FROM note')).resolves.toEqual([{ id: 1, owner: 'acme' }]);
    expect(world.pool.destroyedByCause).toEqual(destroyedBefore);
  }
});
