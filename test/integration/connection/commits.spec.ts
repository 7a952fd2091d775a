import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Client, Query, type PoolClient, type QueryConfig } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import Cursor from 'pg-cursor';
import { DataSource } from 'typeorm';
import { KeepingClient } from '../../../lib/common/kept-commits';
import { driverThatEndsSilence } from '../../../lib/common/silence';
import { MigrationLane } from '../../../lib/migrations/migration-lane';
import { PreparedClaims } from '../../../lib/migrations/prepared-claims';
import { behindPooler } from '../../support/database';
import { twoTenants, type TwoTenants } from '../../support/two-tenants';

const ROLLED_BACK = { code: 'TRANSACTION_ROLLED_BACK' };

/** PostgreSQL answers the COMMIT of a transaction that has failed with the tag ROLLBACK, and no error. */
describe('A COMMIT that keeps nothing', () => {
  let world: TwoTenants;

  beforeAll(async () => {
    world = await twoTenants(1, { connectTimeoutMS: 2_000 });
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset());

  const ids = async () => {
    const rows = await world.query<{ id: number }[]>(world.acme, 'SELECT id FROM note ORDER BY id');
    return rows.map(({ id }) => id);
  };
  /** A client in a transaction that has written something and failed. */
  const inFailedTransaction = (work: (client: PoolClient) => Promise<unknown>) =>
    world.context.run(world.acme, async () => {
      const client = await world.pool.connect();
      try {
        await client.query('BEGIN');
        await client.query('INSERT INTO note (id) VALUES (2)');
        await client.query('SELECT 1/0').catch(() => undefined);
        await work(client);
      } finally {
        client.release();
      }
    });

  it.each([
    'COMMIT',
    ' end work;',
    '/* a /* nested */ comment: ROLLBACK */ COMMIT',
    '-- ROLLBACK\n;;COMMIT',
    'COMMIT AND CHAIN',
    "PREPARE TRANSACTION 'x'",
    { text: 'COMMIT', queryMode: 'extended' },
    { name: 'keep', text: 'COMMIT' },
    'COMMIT; SELECT owner FROM note',
    'COMMIT; BEGIN; SELECT 1; ROLLBACK',
    'COMMIT; SELECT 1/0',
  ])('is an error, and leaves a connection that can be lent again: %j', async (text) => {
    await inFailedTransaction(async (client) => {
      await expect(client.query(text as string)).rejects.toMatchObject(ROLLED_BACK);
      // The second sending of a name comes without its text's Parse.
      await client.query('ROLLBACK');
    });
    await expect(ids()).resolves.toEqual([1]);
    expect(world.pool.destroyedByCause).toEqual({});
  });

  it.each<[string, (client: PoolClient) => Promise<unknown>]>([
    [
      'a callback',
      (client) =>
        new Promise((resolve, reject) =>
          client.query('COMMIT', (error: Error | undefined, result: unknown) =>
            error ? reject(error) : resolve(result),
          ),
        ),
    ],
    [
      'a query object of pg’s',
      (client) =>
        new Promise((resolve, reject) =>
          client.query(
            new Query('COMMIT', [], (error: Error | undefined, result: unknown) =>
              error ? reject(error) : resolve(result),
            ) as never,
          ),
        ),
    ],
    ['a cursor', (client) => client.query(new Cursor('COMMIT')).read(10)],
  ])('is an error by %s', async (_way, commit) => {
    await inFailedTransaction(async (client) => {
      await expect(commit(client)).rejects.toMatchObject(ROLLED_BACK);
      await expect(client.query('SELECT owner FROM note')).resolves.toMatchObject({
        rows: [{ owner: 'acme' }],
      });
    });
    await expect(ids()).resolves.toEqual([1]);
    expect(world.pool.destroyedByCause).toEqual({});
  });

  it.each([
    'ROLLBACK',
    'abort work',
    '/* COMMIT */ ROLLBACK',
    '-- the end\nROLLBACK AND CHAIN',
    'ROLLBACK; SELECT 1',
    'ROLLBACK; BEGIN; ROLLBACK',
  ])('is not %s, which was asked for', async (text) => {
    await inFailedTransaction(async (client) => {
      await client.query(text);
      await client.query('ROLLBACK');
    });
    await expect(ids()).resolves.toEqual([1]);
  });

  it('is not one that comes after ROLLBACK TO', async () => {
    await world.context.run(world.acme, async () => {
      const client = await world.pool.connect();
      await client.query('BEGIN; INSERT INTO note (id) VALUES (2); SAVEPOINT before');
      await client.query('SELECT 1/0').catch(() => undefined);
      await expect(client.query('ROLLBACK TO before')).resolves.toMatchObject({ command: 'ROLLBACK' });
      await expect(client.query('COMMIT')).resolves.toMatchObject({ command: 'COMMIT' });
      client.release();
    });
    await expect(ids()).resolves.toEqual([1, 2]);
  });

  it('rejects a transaction of TypeORM’s that has swallowed an error', async () => {
    const work = world.context.run(world.acme, () =>
      world.dataSource.transaction(async (manager) => {
        await manager.query('INSERT INTO note (id) VALUES (2)');
        await manager.query('INSERT INTO note (id) VALUES (2)').catch(() => undefined);
      }),
    );
    await expect(work).rejects.toMatchObject({ driverError: ROLLED_BACK });
    await expect(work).rejects.toThrow('had failed before');
    await expect(ids()).resolves.toEqual([1]);
    expect(world.pool.destroyedByCause).toEqual({});
  });

  it('rejects the transaction of a migration over the fleet', async () => {
    const work = world.context.run(world.acme, () =>
      new MigrationLane(world.dataSource, world.context, new PreparedClaims()).run({
        tenant: world.acme,
        settings: {},
        claim: {
          form: { types: [], isPrepared: false, sql: (_values, before) => `SELECT FROM ${before}` },
          values: [],
        },
        run: async (queryRunner) => {
          await queryRunner.query('SELECT 1');
          await queryRunner.query('SELECT 1/0').catch(() => 'swallowed');
        },
      }),
    );
    await expect(work).rejects.toMatchObject(ROLLED_BACK);
    expect(world.pool.destroyedByCause).toEqual({});
  });

  it('rejects a transaction in the registry’s own pool', async () => {
    const registry = await new DataSource({
      type: 'postgres',
      url: world.database.url,
      driver: driverThatEndsSilence(5_000),
      installExtensions: false,
    }).initialize();
    try {
      const work = registry.transaction((manager) => manager.query('SELECT 1/0').catch(() => 'swallowed'));
      await expect(work).rejects.toMatchObject({ driverError: ROLLED_BACK });
      await expect(registry.query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
    } finally {
      await registry.destroy();
    }
  });

  it('rejects in a session of its own, and the session goes on', async () => {
    const client = new KeepingClient({ connectionString: world.database.url });
    await client.connect();
    try {
      await client.query('BEGIN');
      await client.query('SELECT 1/0').catch(() => undefined);
      await expect(client.query('COMMIT')).rejects.toMatchObject(ROLLED_BACK);
      await expect(client.query('SELECT 1 AS one')).resolves.toMatchObject({ rows: [{ one: 1 }] });
    } finally {
      await client.end();
    }
  });

  it('is an error by a name alone', async () => {
    const asked = { name: 'known', text: undefined } as unknown as string;
    await world.context.run(world.acme, async () => {
      const client = await world.pool.connect();
      await client.query({ name: 'known', text: 'COMMIT' });
      client.release();
    });
    await inFailedTransaction(async (client) => {
      await expect(client.query(asked)).rejects.toMatchObject(ROLLED_BACK);
    });
    await expect(ids()).resolves.toEqual([1]);
    expect(world.pool.destroyedByCause).toEqual({});
  });
});

describe('A COMMIT that is not answered', () => {
  let world: TwoTenants;
  let holder: Client;

  beforeAll(async () => {
    world = await twoTenants(1, { connectTimeoutMS: 2_000 });
    // A COMMIT that wrote a note waits for the lock.
    const { schemaName } = world.acme;
    await world.database.query(
      `CREATE FUNCTION ${schemaName}.wait() RETURNS trigger LANGUAGE plpgsql AS
       'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END'`,
    );
    await world.database.query(
      `CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON ${schemaName}.note DEFERRABLE INITIALLY DEFERRED
       FOR EACH ROW EXECUTE FUNCTION ${schemaName}.wait()`,
    );
    holder = new Client({ connectionString: world.database.url });
    await holder.connect();
    await holder.query('SELECT pg_advisory_lock(1)');
  });
  afterAll(async () => {
    await holder.end();
    await world.close();
  });

  const waiting = async (): Promise<number> => {
    for (;;) {
      const { rows } = await holder.query<{ pid: number }>(
        "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
      );
      if (rows.length > 0) return rows[0].pid;
    }
  };
  /** A backend whose client is gone waits on. */
  afterEach(() =>
    holder.query(
      "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
    ),
  );
  const UNKNOWN = { code: 'COMMIT_OUTCOME_UNKNOWN', statusCode: 503 };

  it.each<[string, (pid: number) => unknown]>([
    ['the backend was terminated', (pid) => holder.query('SELECT pg_terminate_backend($1)', [pid])],
    ['the line was cut', () => world.wire.cut(0)],
  ])('may have been done, and says so: %s', async (_why, interrupt) => {
    const work = world.context.run(world.acme, () =>
      world.dataSource.transaction((manager) => manager.query('INSERT INTO note (id) VALUES (2)')),
    );
    const outcome = expect(work).rejects.toMatchObject({ driverError: UNKNOWN });
    await interrupt(await waiting());
    await outcome;
    world.wire.restore();
  });

  it.each<[string, () => Promise<unknown>]>([
    [
      'by query_timeout',
      async () => {
        const client = await world.pool.connect();
        await client.query('BEGIN; INSERT INTO note (id) VALUES (2)');
        const committed: Promise<unknown> = client.query({
          text: 'COMMIT',
          query_timeout: 50,
        } as QueryConfig);
        return committed.finally(() => client.release());
      },
    ],
    ...Object.entries<(client: PoolClient) => Promise<unknown>>({
      'by a query object': (client) =>
        new Promise((resolve, reject) =>
          client.query(
            new Query('COMMIT', [], (error?: Error) => (error ? reject(error) : resolve(1))) as never,
          ),
        ),
      'by a cursor': (client) => client.query(new Cursor('COMMIT')).read(1),
      ...(!behindPooler && {
        'by a name alone': (client) => client.query({ name: 'known', text: undefined } as never),
      }),
    }).map(([way, commit]): [string, () => Promise<unknown>] => [
      way,
      async () => {
        const client = await world.pool.connect();
        await client.query({ name: 'known', text: 'COMMIT' });
        await client.query('BEGIN; INSERT INTO note (id) VALUES (2)');
        const interrupt = async () => holder.query('SELECT pg_terminate_backend($1)', [await waiting()]);
        return Promise.all([commit(client), interrupt()]).finally(() => client.release());
      },
    ]),
    [
      'of a COPY',
      async () => {
        const client = await world.pool.connect();
        const copied = pipeline(Readable.from(['2\tx\n']), client.query(copyFrom('COPY note FROM STDIN')));
        const interrupt = async () => holder.query('SELECT pg_terminate_backend($1)', [await waiting()]);
        return Promise.all([copied, interrupt()]).finally(() => client.release());
      },
    ],
  ])('is told of as such: %s', async (_way, work) => {
    await expect(world.context.run(world.acme, work)).rejects.toMatchObject(UNKNOWN);
  });

  it('is none that was not sent: nothing was kept', async () => {
    const work = world.context.run(world.acme, () =>
      world.dataSource.transaction(async (manager) => {
        const [{ pid }] = await manager.query('SELECT pg_backend_pid() AS pid');
        await holder.query('SELECT pg_terminate_backend($1)', [pid]);
        await manager.query('SELECT 1').catch(() => undefined);
      }),
    );
    await expect(work).rejects.not.toMatchObject({ driverError: UNKNOWN });
  });
});
