import { AsyncResource } from 'node:async_hooks';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PoolClient, QueryConfig } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import Cursor from 'pg-cursor';
import QueryStream from 'pg-query-stream';
import { TenantTransactions } from '../../../lib/connection/typeorm/tenant-transactions';
import { twoTenants, type TwoTenants } from '../../support/two-tenants';

/** Run inside a pool of one: whoever does not join would wait for ever. */
describe('A shared transaction', () => {
  let world: TwoTenants;
  let transactions: TenantTransactions;

  beforeAll(async () => {
    world = await twoTenants(1, { connectTimeoutMS: 500 });
    transactions = new TenantTransactions(world.dataSource, world.context);
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset());

  const run = <T>(work: () => Promise<T>, options = {}) =>
    world.context.run(world.acme, () => transactions.run(work, options));
  const insert = (id: number) => world.dataSource.query('INSERT INTO note (id) VALUES ($1)', [id]);
  const ids = async () => {
    const rows = await world.query<{ id: number }[]>(world.acme, 'SELECT id FROM note ORDER BY id');
    return rows.map(({ id }) => id);
  };

  it('is one for all that is run in it, and is kept when it ends well', async () => {
    const transactionIds = await run(async () => {
      await insert(2);
      const [first] = await world.dataSource.query('SELECT pg_current_xact_id()::text AS id');
      const second = await world.dataSource.transaction(async (manager) => {
        await manager.query('INSERT INTO note (id) VALUES (3)');
        return (await manager.query('SELECT pg_current_xact_id()::text AS id'))[0];
      });
      return [first, second];
    });
    expect(transactionIds[0]).toEqual(transactionIds[1]);
    await expect(ids()).resolves.toEqual([1, 2, 3]);
    expect(world.pool.destroyedByCause).toEqual({});
  });

  it('keeps nothing when the work fails', async () => {
    await expect(
      run(async () => {
        await insert(2);
        await world.dataSource.transaction((manager) => manager.query('INSERT INTO note (id) VALUES (3)'));
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    await expect(ids()).resolves.toEqual([1]);
  });

  it('takes statements that are sent side by side', async () => {
    await run(() => Promise.all([2, 3, 4, 5].map(insert)));
    await expect(ids()).resolves.toEqual([1, 2, 3, 4, 5]);
  });

  it('keeps nothing when a part was rolled back, though the work goes on and ends well', async () => {
    const work = run(async () => {
      await insert(2);
      await world.dataSource
        .transaction(async (manager) => {
          await manager.query('INSERT INTO note (id) VALUES (3)');
          throw new Error('only this part');
        })
        .catch(() => undefined);
    });
    await expect(work).rejects.toMatchObject({ code: 'TRANSACTION_DOOMED' });
    await expect(ids()).resolves.toEqual([1]);
  });

  it('refuses statements after a part was rolled back', async () => {
    const work = run(async () => {
      await world.dataSource.transaction(() => Promise.reject(new Error('part'))).catch(() => undefined);
      await insert(4);
    });
    await expect(work).rejects.toMatchObject({ driverError: { code: 'TRANSACTION_DOOMED' } });
    await expect(ids()).resolves.toEqual([1]);
  });

  it('says so when a failed statement was swallowed: its COMMIT would be a silent ROLLBACK', async () => {
    const work = run(async () => {
      await insert(2);
      await insert(2).catch(() => undefined);
    });
    await expect(work).rejects.toMatchObject({ code: 'TRANSACTION_DOOMED' });
    await expect(ids()).resolves.toEqual([1]);
  });

  it.each(['ROLLBACK; SELECT 1', 'SELECT 1; COMMIT', 'COMMIT AND CHAIN', "PREPARE TRANSACTION 'x'"])(
    'cannot be ended by a part: %s is refused before it is sent',
    async (text) => {
      await run(async () => {
        await insert(2);
        await expect(world.dataSource.query(text)).rejects.toMatchObject({
          driverError: { code: 'TRANSACTION_COMMAND_REFUSED' },
        });
      });
      await expect(ids()).resolves.toEqual([1, 2]);
    },
  );

  it.each(['/* x */ COMMIT', '-- x\nEND'])('is not ended by %j: its end is its own', async (text) => {
    await expect(
      run(async () => {
        await insert(2);
        await world.dataSource.query(text);
        throw new Error('late');
      }),
    ).rejects.toThrow('late');
    await expect(ids()).resolves.toEqual([1]);
  });

  it('is doomed by a ROLLBACK behind a comment', async () => {
    const work = run(() => insert(2).then(() => world.dataSource.query('-- x\nROLLBACK')));
    await expect(work).rejects.toMatchObject({ code: 'TRANSACTION_DOOMED' });
    await expect(ids()).resolves.toEqual([1]);
  });

  it('runs at the level that was asked for, and inner ones may ask for the same', async () => {
    await run(
      async () => {
        await world.dataSource.query('SELECT 1');
        await world.dataSource.transaction('SERIALIZABLE', async (manager) => {
          const [{ level }] = await manager.query(`SELECT current_setting('transaction_isolation') AS level`);
          expect(level).toBe('serializable');
        });
      },
      { isolation: 'SERIALIZABLE' },
    );
    await expect(
      run(() =>
        world.dataSource
          .query('SELECT 1')
          .then(() => world.dataSource.transaction('SERIALIZABLE', () => Promise.resolve())),
      ),
    ).rejects.toMatchObject({ code: '25001' });
  });

  it('inside another joins it', async () => {
    await expect(
      run(async () => {
        await transactions.run(() => insert(2));
        throw new Error('outer');
      }),
    ).rejects.toThrow('outer');
    await expect(ids()).resolves.toEqual([1]);
  });

  it('is not joined by another tenant’s work inside it', async () => {
    const inner = run(() => world.query(world.globex, 'SELECT 1'));
    // The pool has one connection, and it is the transaction's.
    await expect(inner).rejects.toMatchObject({ code: 'TENANCY_UNAVAILABLE' });
  });

  it('is over for code that runs on after its end', async () => {
    let late!: () => Promise<unknown>;
    await run(async () => {
      late = AsyncResource.bind(() => insert(9));
      await insert(2);
    });
    await late();
    await expect(ids()).resolves.toEqual([1, 2, 9]);
  });

  describe('waits for all that it was asked when its work ends', () => {
    it.each<[string, (late: Promise<unknown>) => unknown]>([
      ['alone', (late) => late.catch(() => undefined)],
      [
        'beside one that fails at once',
        (late) => Promise.all([late, Promise.reject(new Error('notify'))]).catch(() => undefined),
      ],
    ])('and keeps nothing when a statement that was not awaited fails: %s', async (_case, start) => {
      const work = run(async () => {
        await insert(2);
        const late = world.dataSource.query('SELECT pg_sleep(0.1), 1/0');
        const outcome = expect(late).rejects.toMatchObject({ code: '22012' });
        await start(late);
        await outcome.catch(() => undefined);
      });
      await expect(work).rejects.toMatchObject({ code: 'TRANSACTION_DOOMED', by: 'failure' });
      await expect(ids()).resolves.toEqual([1]);
    });

    it('and keeps what was not awaited and ends well', async () => {
      let late!: Promise<unknown>;
      await run(async () => {
        await insert(2);
        const client = await world.pool.connect();
        late = client.query('INSERT INTO note SELECT 3 FROM pg_sleep(0.1)');
      });
      await late;
      await expect(ids()).resolves.toEqual([1, 2, 3]);
    });

    it('and keeps what had not even reached the connection', async () => {
      let late!: Promise<unknown>;
      let asked!: string;
      await run(() => {
        late = insert(3).then(() => (asked = 'by then'));
        return Promise.resolve();
      });
      expect(asked).toBe('by then');
      await late;
      await expect(ids()).resolves.toEqual([1, 3]);
    });

    it('and when it fails: nothing that waits is sent after the ROLLBACK', async () => {
      let late!: Promise<PromiseSettledResult<unknown>[]>;
      const work = run(async () => {
        const client = await world.pool.connect();
        late = Promise.allSettled(
          ['SELECT pg_sleep(0.1)', 'INSERT INTO note (id) VALUES (3)'].map((sql) => client.query(sql)),
        );
        throw new Error('no');
      });
      await expect(work).rejects.toThrow('no');
      expect((await late)[1]).toMatchObject({ reason: { code: 'TRANSACTION_DOOMED' } });
      await expect(ids()).resolves.toEqual([1]);
    });
  });

  describe('keeps no half of an inner one', () => {
    /** Begins, does the first half, and does the second when it is told to. */
    const halves = (begin: (half: (id: number) => Promise<unknown>) => Promise<unknown>) => {
      let goOn!: () => void;
      const told = new Promise<void>((resolve) => (goOn = resolve));
      let reached!: () => void;
      const half = new Promise<void>((resolve) => (reached = resolve));
      const whole = begin(async (id) => {
        await insert(id);
        reached();
        await told;
        await insert(id + 1);
      });
      return { half, goOn, whole: whole.catch((error: unknown) => error) };
    };

    it.each<[string, (half: (id: number) => Promise<unknown>) => Promise<unknown>]>([
      ['connection.transaction()', (half) => world.dataSource.transaction(async () => half(2))],
      ['run()', (half) => transactions.run(() => half(2))],
      [
        'BEGIN',
        async (half) => {
          const client = await world.pool.connect();
          await client.query('BEGIN');
          await half(2);
          await client.query('COMMIT');
        },
      ],
    ])('that is open when the work ends, and refuses the rest of it: %s', async (_way, begin) => {
      let inner!: ReturnType<typeof halves>;
      const work = run(async () => {
        inner = halves(begin);
        await inner.half;
      });
      await expect(work).rejects.toMatchObject({ code: 'TRANSACTION_DOOMED', by: 'open part' });
      await expect(ids()).resolves.toEqual([1]);
      inner.goOn();
      await inner.whole;
    });

    it('whose client was given back with its BEGIN open', async () => {
      const work = run(async () => {
        const client = await world.pool.connect();
        await client.query('BEGIN');
        await insert(2);
        client.release();
      });
      await expect(work).rejects.toMatchObject({ by: 'open part' });
      await expect(ids()).resolves.toEqual([1]);
    });

    it('that has failed, though its error was caught: run()', async () => {
      const work = run(async () => {
        await transactions
          .run(async () => {
            await insert(2);
            throw new Error('part');
          })
          .catch(() => undefined);
      });
      await expect(work).rejects.toMatchObject({ by: 'rollback', cause: { message: 'part' } });
      await expect(ids()).resolves.toEqual([1]);
    });

    it('that is rolled back after the work has ended', async () => {
      let roll!: () => void;
      const told = new Promise<void>((resolve) => (roll = resolve));
      let inner!: Promise<unknown>;
      const work = run(async () => {
        const begun = new Promise<void>((resolve) => {
          inner = world.dataSource
            .transaction(async (manager) => {
              await manager.query('INSERT INTO note (id) VALUES (2)');
              resolve();
              await told;
              throw new Error('part');
            })
            .catch((error: unknown) => error);
        });
        await begun;
        roll();
      });
      await expect(work).rejects.toMatchObject({ code: 'TRANSACTION_DOOMED' });
      await inner;
      await expect(ids()).resolves.toEqual([1]);
    });
  });

  it('is doomed by what is asked after its work has ended, and the late asker is told why', async () => {
    let client!: PoolClient;
    let late!: Promise<unknown>;
    const work = run(async () => {
      await insert(2);
      client = await world.pool.connect();
      const slow = client.query('SELECT pg_sleep(0.1)');
      void nextTurn()
        .then(() => nextTurn())
        .then(() => {
          late = client.query('INSERT INTO note (id) VALUES (3)').catch((error: unknown) => error);
          return slow;
        });
    });
    await expect(work).rejects.toMatchObject({ code: 'TRANSACTION_DOOMED', by: 'late' });
    await expect(late).resolves.toMatchObject({ code: 'TRANSACTION_OVER' });
    await expect(client.query('INSERT INTO note (id) VALUES (4)')).rejects.toMatchObject({
      code: 'TRANSACTION_OVER',
    });
    await expect(ids()).resolves.toEqual([1]);
  });

  describe('follows streams', () => {
    it('to their end', async () => {
      await run(async () => {
        const client = await world.pool.connect();
        const seen: unknown[] = [];
        for await (const row of client.query(new QueryStream('SELECT g FROM generate_series(1, 500) g')))
          seen.push(row);
        expect(seen).toHaveLength(500);
        const stream = client.query(new QueryStream('SELECT g FROM generate_series(1, 500) g'));
        for await (const _row of stream) break;
        await insert(2);
        const cursor = client.query(new Cursor('SELECT 1'));
        await cursor.read(1);
        await cursor.close();
      });
      await expect(ids()).resolves.toEqual([1, 2]);
      expect(world.pool.destroyedByCause).toEqual({});
    });

    it('and is doomed by one that fails', async () => {
      const work = run(async () => {
        await insert(2);
        const client = await world.pool.connect();
        await client
          .query(new Cursor('SELECT 1/0'))
          .read(1)
          .catch(() => undefined);
      });
      await expect(work).rejects.toMatchObject({ by: 'failure' });
      await expect(ids()).resolves.toEqual([1]);
    });

    it('and keeps nothing when one is open at the end: its connection is destroyed', async () => {
      const work = run(async () => {
        await insert(2);
        const client = await world.pool.connect();
        await client.query(new Cursor('SELECT g FROM generate_series(1, 500) g')).read(1);
      });
      await expect(work).rejects.toMatchObject({ by: 'open stream' });
      await expect(ids()).resolves.toEqual([1]);
      expect(world.pool.destroyedByCause).toEqual({ 'query in flight': 1 });
    });
  });

  describe('with savepoints in an inner one', () => {
    /** A part with a savepoint in which `inside` is run before it fails. */
    const withSavepoint = (inside: () => Promise<unknown>) =>
      world.dataSource.transaction(async (outer) => {
        await outer
          .transaction(async (inner) => {
            await inner.query('INSERT INTO note (id) VALUES (5)');
            await inside();
            throw new Error('part');
          })
          .catch(() => undefined);
        await outer.query('INSERT INTO note (id) VALUES (6)');
      });

    it('keeps the rest when one is rolled back', async () => {
      await run(() => withSavepoint(() => Promise.resolve()).then(() => insert(2)));
      await expect(ids()).resolves.toEqual([1, 2, 6]);
    });

    it('keeps nothing when others had worked meanwhile: what they did was undone with it', async () => {
      await expect(run(() => withSavepoint(() => insert(2)))).rejects.toMatchObject({
        driverError: { code: 'TRANSACTION_DOOMED', by: 'savepoint' },
      });
      await expect(ids()).resolves.toEqual([1]);
    });
  });

  describe('with savepoints', () => {
    /** One part sends these, and after the first of them another part does its work, which is acknowledged. */
    const beside = (texts: readonly string[], work: (other: PoolClient) => Promise<unknown>) =>
      run(async () => {
        const one = await world.pool.connect();
        const other = await world.pool.connect();
        await one.query(texts[0]);
        await work(other);
        for (const text of texts.slice(1)) await one.query(text).catch(() => undefined);
      });
    const insertBy = (client: PoolClient) => client.query('INSERT INTO note (id) VALUES (2)');
    const long = 'a'.repeat(63);

    it.each([
      [['SAVEPOINT a', 'ROLLBACK TO a']],
      [['SAVEPOINT "\\0061"', 'SAVEPOINT U&"\\0061"', 'ROLLBACK TO "\\0061"']],
      [['SAVEPOINT a', 'SAVEPOINT U&"\\0061"', 'RELEASE a', 'ROLLBACK TO a']],
      [[`SAVEPOINT ${long}`, `SAVEPOINT ${long}x`, `RELEASE ${long}`, `ROLLBACK TO ${long}`]],
      [['SAVEPOINT a', 'SAVEPOINT a; SELECT 1', 'RELEASE a', 'ROLLBACK TO a']],
      [['SAVEPOINT a', 'SELECT 1; SAVEPOINT a; SELECT 1/0', 'ROLLBACK TO a; RELEASE a', 'ROLLBACK TO a']],
    ])('keeps nothing when one is rolled back that others had worked behind: %j', async (texts) => {
      await expect(beside(texts, insertBy)).rejects.toMatchObject({ by: 'savepoint' });
      await expect(ids()).resolves.toEqual([1]);
    });

    it('keeps nothing when one is rolled back behind which others had copied', async () => {
      const copy = (client: PoolClient) =>
        pipeline(Readable.from(['2\tx\n']), client.query(copyFrom('COPY note FROM STDIN')));
      await expect(beside(['SAVEPOINT a', 'ROLLBACK TO a'], copy)).rejects.toMatchObject({ by: 'savepoint' });
      await expect(ids()).resolves.toEqual([1]);
    });

    it.each(['SAVEPOINT a', 'ROLLBACK TO a', 'release a', '-- x\nrollback work to a'])(
      'takes no command of theirs from query objects, which nobody follows: %j',
      async (text) => {
        const work = (client: PoolClient) => client.query(new Cursor(text)).read(1);
        await expect(beside(['SAVEPOINT a'], work)).rejects.toMatchObject({
          code: 'TRANSACTION_COMMAND_REFUSED',
        });
      },
    );

    it('keeps all when one is rolled back behind which nobody else has worked', async () => {
      await beside(
        ['SELECT 1', 'SAVEPOINT a', 'INSERT INTO note (id) VALUES (3)', 'ROLLBACK TO a'],
        insertBy,
      );
      await expect(ids()).resolves.toEqual([1, 2]);
    });
  });

  it.each<[string, QueryConfig & { query_timeout?: number }]>([
    ['by query_timeout', { text: 'INSERT INTO note SELECT 3 FROM pg_sleep(0.2)', query_timeout: 50 }],
    [
      'for a value that cannot be sent',
      {
        text: 'INSERT INTO note (id) VALUES ($1)',
        values: [
          {
            toPostgres: () => {
              throw new Error('no');
            },
          },
        ],
      },
    ],
  ])(
    'says so when the statement failed here, where PostgreSQL knows nothing of it: %s',
    async (_why, config) => {
      const work = run(async () => {
        await insert(2);
        const client = await world.pool.connect();
        await client.query(config).catch(() => undefined);
      });
      await expect(work).rejects.toMatchObject({ code: 'TRANSACTION_DOOMED', by: 'failure' });
      await expect(ids()).resolves.toEqual([1]);
    },
  );

  it('needs a tenant', async () => {
    await expect(transactions.run(() => Promise.resolve())).rejects.toMatchObject({
      code: 'TENANT_REQUIRED',
    });
  });
});
