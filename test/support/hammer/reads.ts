import { once } from 'node:events';
import { to as copyTo } from 'pg-copy-streams';
import Cursor from 'pg-cursor';
import QueryStream from 'pg-query-stream';
import { check, half, key, type Operation, READ, READ_ALL, type Row, withClient } from './operation';
import { Account } from './shop';

/** Every way to read. */
export const READS: Readonly<Record<string, Operation>> = {
  read: async (world) => check(world, await world.dataSource.query<Row[]>(READ, [key(world)]), 'read'),

  readWithoutParameters: async (world) =>
    check(world, await world.dataSource.query<Row[]>(READ_ALL), 'read without parameters'),

  readByRepository: async (world) =>
    check(world, await world.dataSource.getRepository(Account).findBy({ id: key(world) }), 'repository'),

  readSeveralStatements: (world) =>
    withClient(world, async (client) => {
      const results = (await client.query(`${READ_ALL}; ${READ_ALL} WHERE id = 1`)) as unknown as {
        rows: Row[];
      }[];
      for (const { rows } of results) check(world, rows, 'several statements');
    }),

  readNamed: (world) =>
    withClient(world, async (client) => {
      // The first Parse of a name may fail, which must not poison it.
      if (half(world))
        await client.query({ name: 'read', text: 'SELECT owner FROM nowhere' }).catch(() => undefined);
      const { rows } = await client.query<Row>({ name: 'read', text: READ, values: [key(world)] });
      check(world, rows, 'named statement');
    }),

  readArrays: (world) =>
    withClient(world, async (client) => {
      const { rows } = await client.query({ text: READ_ALL, rowMode: 'array' });
      check(world, rows, 'rows as arrays');
    }),

  readCursor: (world) =>
    withClient(world, async (client) => {
      const cursor = client.query(new Cursor<Row>(READ_ALL));
      check(world, await cursor.read(2), 'cursor');
      await cursor.close();
    }),

  readStream: (world) =>
    withClient(world, async (client) => {
      const stream = client.query(new QueryStream(READ_ALL));
      const [rows] = await Promise.all([stream.toArray(), once(stream, 'close')]);
      check(world, rows, 'stream');
    }),

  readQueryBuilderStream: async (world) => {
    const stream = await world.dataSource.createQueryBuilder(Account, 'a').select('a.owner').stream();
    check(world, await stream.toArray(), 'stream of a query builder');
  },

  readCopy: (world) =>
    withClient(world, async (client) => {
      const copy = client.query(copyTo('COPY (SELECT owner FROM account) TO STDOUT'));
      check(world, [Buffer.concat((await copy.toArray()) as Buffer[])], 'copy out');
    }),

  readInParallel: async ({ call, context, dataSource }) => {
    const readFor = (tenant: typeof call.tenant) =>
      context.run(tenant, async () => call.see(await dataSource.query(READ_ALL), 'in parallel', tenant));
    await Promise.all([call.tenant, call.other, call.tenant].map(readFor));
  },

  workForAnotherInside: async (world) => {
    const { call, context, dataSource } = world;
    check(world, await dataSource.query<Row[]>(READ, [key(world)]), 'before work for another');
    const rows = await context.run(call.other, () => dataSource.query<Row[]>(READ, [1]));
    call.see(rows, 'work for another inside', call.other);
    check(world, await dataSource.query<Row[]>(READ, [key(world)]), 'after work for another');
  },

  readAfterSyntaxError: async (world) => {
    await world.dataSource.query('SELCT 1').catch(() => undefined);
    check(world, await world.dataSource.query<Row[]>(READ, [key(world)]), 'after a syntax error');
  },

  readAfterNothing: (world) =>
    withClient(world, async (client) => {
      await client.query('');
      check(world, (await client.query(READ_ALL)).rows, 'after an empty text');
    }),

  readInCallbacks: (world) =>
    new Promise<void>((resolve, reject) => {
      world.pool.connect((failed, client, release) => {
        if (failed || !client) return reject(failed ?? new Error('no client'));
        client.query(READ, [1], (error: Error | undefined, result: { rows: Row[] }) => {
          release();
          if (error) return reject(error);
          check(world, result.rows, 'callbacks');
          world.dataSource.query<Row[]>(READ, [2]).then((rows) => {
            check(world, rows, 'after callbacks');
            resolve();
          }, reject);
        });
      });
    }),
};
