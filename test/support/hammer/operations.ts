import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { PoolClient } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import Cursor from 'pg-cursor';
import QueryStream from 'pg-query-stream';
import type { DataSource } from 'typeorm';
import type { TenantPool } from '../../../lib/connection/tenant-pool';
import type { TenantTransactions } from '../../../lib/connection/tenant-transactions';
import type { TenantContext } from '../../../lib/context/tenant-context';
import type { Tenant } from '../../../lib/tenant/tenant';
import type { Ledger } from './ledger';
import type { SeededRandom } from './random';

/** What one operation works with. It runs for `tenant`; `write` is a name no other operation has. */
export interface OperationWorld {
  readonly tenant: Tenant;
  readonly other: Tenant;
  readonly write: string;
  readonly dataSource: DataSource;
  readonly pool: TenantPool;
  readonly transactions: TenantTransactions;
  readonly context: TenantContext;
  readonly ledger: Ledger;
  readonly random: SeededRandom;
}

type Row = { owner: string };
export type Operation = (world: OperationWorld) => Promise<void>;

const READ = 'SELECT owner FROM account WHERE id = $1';
const INSERT = 'INSERT INTO entry (write, owner) VALUES ($1, $2)';
const KEYS = 5;

async function withClient(world: OperationWorld, work: (client: PoolClient) => Promise<void>): Promise<void> {
  const client = await world.pool.connect();
  try {
    await work(client);
  } finally {
    client.release();
  }
}

function check(world: OperationWorld, rows: readonly Row[], how: string): void {
  world.ledger.checkRows(world.tenant.slug, rows, how);
}

const key = ({ random }: OperationWorld) => 1 + random.integer(KEYS);

/** Each leaves the table as it declares to the ledger, whatever is thrown at it. An error of its own is no finding. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  read: async (world) => check(world, await world.dataSource.query<Row[]>(READ, [key(world)]), 'read'),

  readWithoutParameters: async (world) =>
    check(world, await world.dataSource.query<Row[]>('SELECT owner FROM account'), 'read without parameters'),

  readSeveralStatements: (world) =>
    withClient(world, async (client) => {
      const text = 'SELECT owner FROM account; SELECT owner FROM account WHERE id = 1';
      const results = (await client.query(text)) as unknown as { rows: Row[] }[];
      for (const { rows } of results) check(world, rows, 'several statements');
    }),

  readNamed: (world) =>
    withClient(world, async (client) => {
      const { rows } = await client.query<Row>({ name: 'read', text: READ, values: [key(world)] });
      check(world, rows, 'named statement');
    }),

  readCursor: (world) =>
    withClient(world, async (client) => {
      const cursor = client.query(new Cursor<Row>('SELECT owner FROM account'));
      check(world, await cursor.read(2), 'cursor');
      // Half of them are left open, for the release to deal with.
      if (world.random.next() < 0.5) await cursor.close();
    }),

  readStream: (world) =>
    withClient(world, async (client) => {
      const rows: unknown[] = await client.query(new QueryStream('SELECT owner FROM account')).toArray();
      check(world, rows as Row[], 'stream');
    }),

  readCopy: (world) =>
    withClient(world, async (client) => {
      const chunks = await client.query(copyTo('COPY (SELECT owner FROM account) TO STDOUT')).toArray();
      const owners = Buffer.concat(chunks as Buffer[])
        .toString()
        .split('\n')
        .filter(Boolean);
      check(
        world,
        owners.map((owner) => ({ owner })),
        'copy out',
      );
    }),

  update: async (world) => {
    const text = 'UPDATE account SET value = value + 1 WHERE id = $1 RETURNING owner';
    const [rows] = await world.dataSource.query<[Row[], number]>(text, [key(world)]);
    check(world, rows, 'update');
  },

  insert: async (world) => {
    await world.dataSource.query(INSERT, [world.write, world.tenant.slug]);
    world.ledger.acknowledge(world.tenant.slug, world.write);
  },

  insertInTransaction: async (world) => {
    await world.dataSource.transaction(async (manager) => {
      await manager.query(INSERT, [world.write, world.tenant.slug]);
      check(world, await manager.query<Row[]>(READ, [key(world)]), 'read in a transaction');
    });
    world.ledger.acknowledge(world.tenant.slug, world.write);
  },

  insertShared: async (world) => {
    await world.transactions.run(async () => {
      await world.dataSource.query(INSERT, [world.write, world.tenant.slug]);
      check(world, await world.dataSource.query<Row[]>(READ, [key(world)]), 'read in a shared transaction');
    });
    world.ledger.acknowledge(world.tenant.slug, world.write);
  },

  insertByCopy: (world) =>
    withClient(world, async (client) => {
      const rows = Readable.from([`${world.write}\t${world.tenant.slug}\n`]);
      await pipeline(rows, client.query(copyFrom('COPY entry (write, owner) FROM STDIN')));
      world.ledger.acknowledge(world.tenant.slug, world.write);
    }),

  rollBack: async (world) => {
    world.ledger.forbid(world.tenant.slug, world.write);
    await world.dataSource.transaction(async (manager) => {
      await manager.query(INSERT, [world.write, world.tenant.slug]);
      throw new Error('rolled back on purpose');
    });
  },

  rollBackToSavepoint: async (world) => {
    world.ledger.forbid(world.tenant.slug, `${world.write}-inner`);
    await world.dataSource.transaction(async (manager) => {
      await manager.query(INSERT, [world.write, world.tenant.slug]);
      const inner = manager.transaction(async (nested) => {
        await nested.query(INSERT, [`${world.write}-inner`, world.tenant.slug]);
        await nested.query('SELECT 1/0');
      });
      await inner.catch(() => undefined);
      check(world, await manager.query<Row[]>(READ, [key(world)]), 'read after a savepoint');
    });
    world.ledger.acknowledge(world.tenant.slug, world.write);
  },

  leaveTransactionOpen: (world) =>
    withClient(world, async (client) => {
      world.ledger.forbid(world.tenant.slug, world.write);
      await client.query('BEGIN');
      await client.query(INSERT, [world.write, world.tenant.slug]);
    }),

  leaveTransactionFailed: (world) =>
    withClient(world, async (client) => {
      world.ledger.forbid(world.tenant.slug, world.write);
      await client.query('START TRANSACTION');
      await client.query(INSERT, [world.write, world.tenant.slug]);
      await client.query('SELECT 1/0').catch(() => undefined);
    }),

  leaveStatementsQueued: (world) =>
    withClient(world, (client) => {
      world.ledger.forbid(world.tenant.slug, world.write);
      const queued = [client.query('BEGIN'), client.query(INSERT, [world.write, world.tenant.slug])];
      for (const each of queued) each.catch(() => undefined);
      return Promise.resolve();
    }),

  leaveStatementRunning: (world) =>
    withClient(world, (client) => {
      client.query('SELECT pg_sleep(0.01), owner FROM account').catch(() => undefined);
      return Promise.resolve();
    }),

  timeOut: (world) =>
    withClient(world, async (client) => {
      const slow = { text: 'SELECT pg_sleep(0.02), owner FROM account', query_timeout: 3 };
      check(world, (await client.query<Row>(slow)).rows, 'slow read');
    }),

  leaveTemporaryTable: async (world) => {
    const hidden = world.random.next() < 0.5;
    const table = `account AS SELECT 1 AS id, '${world.tenant.slug}'::text AS owner, 0 AS value`;
    // Half of them where whoever reads the statement's text finds nothing.
    await world.dataSource.query(
      hidden
        ? `DO $do$ BEGIN EXECUTE 'CREATE TE' || 'MP TABLE ' || $sql$${table}$sql$; EXCEPTION WHEN duplicate_table THEN NULL; END $do$`
        : `CREATE TEMP TABLE ${table}`,
    );
  },

  leaveSearchPath: async (world) => {
    await world.dataSource.query(`SET search_path TO "${world.tenant.schemaName}"`);
  },

  leaveSearchPathInFunction: async (world) => {
    const sql = `SELECT set_con' || 'fig(''search_path'', ''${world.tenant.schemaName}'', false)`;
    await world.dataSource.query(`DO $$ BEGIN EXECUTE '${sql}'; END $$`);
  },

  leaveLock: async (world) => {
    await world.dataSource.query('SELECT pg_try_advisory_lock($1)', [world.random.integer(1_000_000)]);
  },

  commitInTheMiddle: (world) =>
    withClient(world, async (client) => {
      if (world.random.next() < 0.5) await client.query('BEGIN');
      const results = (await client.query('COMMIT; SELECT owner FROM account')) as unknown as {
        rows: Row[];
      }[];
      check(world, results[1].rows, 'after a COMMIT in the middle');
    }),

  readAsSystem: async (world) => {
    // Not `account`: a temporary table of that name, left where no text shows it, is seen until a rider has found it.
    const rows = await world.context.runAsSystem(() =>
      world.dataSource.query<Row[]>('SELECT owner FROM entry'),
    );
    check(world, [...rows, { owner: 'nobody: the system should see no table' }], 'system');
  },

  useForAnother: (world) =>
    withClient(world, async (client) => {
      const { rows } = await world.context.run(world.other, () => client.query<Row>(READ, [1]));
      check({ ...world, tenant: world.other }, rows, 'client of another');
      check(world, [{ owner: 'nobody: the client should refuse' }], 'client of another');
    }),

  useAfterRelease: async (world) => {
    const client = await world.pool.connect();
    client.release();
    const { rows } = await client.query<Row>(READ, [1]);
    check(world, [...rows, { owner: 'nobody: the client should refuse' }], 'client after its release');
  },

  releaseTwice: async (world) => {
    const client = await world.pool.connect();
    client.release();
    await Promise.resolve();
    client.release();
  },

  workForAnotherInside: async (world) => {
    check(world, await world.dataSource.query<Row[]>(READ, [key(world)]), 'before work for another');
    const rows = await world.context.run(world.other, () => world.dataSource.query<Row[]>(READ, [1]));
    check({ ...world, tenant: world.other }, rows, 'work for another inside');
    check(world, await world.dataSource.query<Row[]>(READ, [key(world)]), 'after work for another');
  },

  syntaxError: async (world) => {
    await world.dataSource.query('SELCT 1').catch(() => undefined);
    check(world, await world.dataSource.query<Row[]>(READ, [key(world)]), 'after a syntax error');
  },

  readInCallbacks: (world) =>
    new Promise((resolve, reject) => {
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
