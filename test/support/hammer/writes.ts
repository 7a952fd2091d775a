import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { from as copyFrom } from 'pg-copy-streams';
import { check, INSERT, key, type Operation, READ, READ_ALL, type Row, withClient } from './operation';
import { Entry } from './shop';

const ON_PURPOSE = new Error('rolled back on purpose');

/** Every way to write, and to have it rolled back. */
export const WRITES: Readonly<Record<string, Operation>> = {
  update: async (world) => {
    const text = 'UPDATE account SET value = value + 1 WHERE id = $1 RETURNING owner';
    const [rows] = await world.dataSource.query<[Row[], number]>(text, [key(world)]);
    check(world, rows, 'update');
  },

  insert: async ({ call, dataSource }) => {
    await dataSource.query(INSERT, [call.stamp]);
    call.keep();
  },

  insertByRepository: async ({ call, dataSource }) => {
    await dataSource.getRepository(Entry).insert({ stamp: call.stamp });
    call.keep();
  },

  insertInTransaction: async (world) => {
    const { call, dataSource } = world;
    const level = call.random.pick(['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'] as const);
    await dataSource.transaction(level, async (manager) => {
      await manager.query(INSERT, [call.stamp]);
      check(world, await manager.query<Row[]>(READ, [key(world)]), `read in a ${level} transaction`);
    });
    call.keep();
  },

  insertShared: async (world) => {
    const { call, dataSource, transactions } = world;
    await transactions.run(async () => {
      await dataSource.query(INSERT, [call.stamp]);
      check(world, await dataSource.query<Row[]>(READ, [key(world)]), 'read in a shared transaction');
    });
    call.keep();
  },

  insertByCopy: (world) =>
    withClient(world, async (client) => {
      const rows = Readable.from([`${world.call.stamp}\n`]);
      await pipeline(rows, client.query(copyFrom('COPY entry (stamp) FROM STDIN')));
      world.call.keep();
    }),

  rollBack: async ({ call, dataSource }) => {
    call.drop();
    const work = dataSource.transaction(async (manager) => {
      await manager.query(INSERT, [call.stamp]);
      throw ON_PURPOSE;
    });
    await work.catch((error: unknown) => {
      if (error !== ON_PURPOSE) throw error;
    });
  },

  rollBackToSavepoint: async (world) => {
    const { call, dataSource } = world;
    const innerStamp = call.newStamp();
    call.drop(innerStamp);
    await dataSource.transaction(async (manager) => {
      await manager.query(INSERT, [call.stamp]);
      const inner = manager.transaction(async (nested) => {
        await nested.query(INSERT, [innerStamp]);
        await nested.query('SELECT 1/0');
      });
      await inner.catch(() => undefined);
      check(world, await manager.query<Row[]>(READ, [key(world)]), 'read after a savepoint');
    });
    call.keep();
  },

  commitInTheMiddle: (world) =>
    withClient(world, async (client) => {
      if (world.call.random.next() < 0.5) await client.query('BEGIN');
      const results = (await client.query(`COMMIT; ${READ_ALL}`)) as unknown as { rows: Row[] }[];
      check(world, results[1].rows, 'after a COMMIT in the middle');
    }),
};

/** A tenant's transaction with another's inside it. One at a time: of many, each would hold what another waits for. */
export function insertForAnotherInside(): Operation {
  let isUnderWay = false;
  return async ({ call, context, dataSource }) => {
    if (isUnderWay) return;
    isUnderWay = true;
    const otherStamp = call.newStamp(call.other);
    try {
      await dataSource.transaction(async (manager) => {
        await manager.query(INSERT, [call.stamp]);
        await context.run(call.other, () =>
          dataSource.transaction((inner) => inner.query(INSERT, [otherStamp])),
        );
        call.keep(otherStamp);
        call.see(await manager.query(READ_ALL), 'after the transaction of another inside');
      });
      call.keep();
    } finally {
      isUnderWay = false;
    }
  };
}
