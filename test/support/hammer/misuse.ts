import Cursor from 'pg-cursor';
import {
  check,
  half,
  INSERT,
  key,
  type Operation,
  READ,
  READ_ALL,
  type Row,
  refused,
  withClient,
} from './operation';

/** What leaves a connection in a bad state, or is to be refused. */
export const MISUSE: Readonly<Record<string, Operation>> = {
  leaveTransactionOpen: (world) =>
    withClient(world, async (client) => {
      world.call.drop();
      await client.query('BEGIN');
      await client.query(INSERT, [world.call.stamp]);
    }),

  leaveTransactionFailed: (world) =>
    withClient(world, async (client) => {
      world.call.drop();
      await client.query('START TRANSACTION');
      await client.query(INSERT, [world.call.stamp]);
      await client.query('SELECT 1/0').catch(() => undefined);
    }),

  leaveStatementsQueued: (world) =>
    withClient(world, (client) => {
      world.call.drop();
      const queued = [client.query('BEGIN'), client.query(INSERT, [world.call.stamp])];
      for (const each of queued) each.catch(() => undefined);
      return Promise.resolve();
    }),

  leaveCursorOpen: (world) =>
    withClient(world, async (client) => {
      check(world, await client.query(new Cursor<Row>(READ_ALL)).read(2), 'cursor that is left open');
    }),

  leaveStatementRunning: (world) =>
    withClient(world, (client) => {
      client.query('SELECT pg_sleep(0.01), owner FROM account').catch(() => undefined);
      return Promise.resolve();
    }),

  timeOut: (world) =>
    withClient(world, async (client) => {
      const slow = { text: 'SELECT owner FROM account, pg_sleep(0.02)', query_timeout: 3 };
      const answer = client.query<Row>(slow).then(({ rows }) => check(world, rows, 'slow read'));
      await answer.catch((error: Error) => {
        if (error.message !== 'Query read timeout') throw error;
      });
    }),

  leaveTemporaryTable: async (world) => {
    const table = `account AS SELECT 1 AS id, '${world.call.stamp}'::text AS owner, 0 AS value`;
    // Half of them where whoever reads the statement's text finds nothing.
    await world.dataSource.query(
      half(world)
        ? `DO $do$ BEGIN EXECUTE 'CREATE TE' || 'MP TABLE ' || $sql$${table}$sql$; EXCEPTION WHEN duplicate_table THEN NULL; END $do$`
        : `CREATE TEMP TABLE IF NOT EXISTS ${table}`,
    );
  },

  leaveSearchPath: async ({ call, dataSource }) => {
    await dataSource.query(`SET search_path TO "${call.tenant.schemaName}"`);
  },

  leaveSearchPathInFunction: async ({ call, dataSource }) => {
    const sql = `SELECT set_con' || 'fig(''search_path'', ''${call.tenant.schemaName}'', false)`;
    await dataSource.query(`DO $$ BEGIN EXECUTE '${sql}'; END $$`);
  },

  leaveLock: async ({ call, dataSource }) => {
    await dataSource.query('SELECT pg_try_advisory_lock($1)', [call.random.integer(1_000_000)]);
  },

  leaveCursorWithHold: async ({ dataSource }) => {
    await dataSource.transaction((manager) =>
      manager.query(`DECLARE held CURSOR WITH HOLD FOR ${READ_ALL}`).catch(ignoreExisting('42P03')),
    );
  },

  leavePrepared: async ({ dataSource }) => {
    await dataSource.query(`PREPARE mine AS ${READ_ALL}`).catch(ignoreExisting('42P05'));
  },

  leaveListening: async ({ dataSource }) => {
    await dataSource.query('LISTEN hammer');
  },

  readAsSystem: (world) =>
    // Not `account`: a temporary table of that name, left where no text shows it, is seen until a rider has found it.
    refused(world, '42P01', () =>
      world.context.runAsSystem(() => world.dataSource.query('SELECT stamp FROM entry')),
    ),

  readForNobody: (world) =>
    refused(world, 'TENANT_REQUIRED', () =>
      world.context.runInFrame(undefined, () => world.dataSource.query(READ_ALL)),
    ),

  useForAnother: (world) =>
    withClient(world, (client) =>
      refused(world, 'TENANT_CONTEXT_MISMATCH', () =>
        world.context.run(world.call.other, () => client.query(READ, [1])),
      ),
    ),

  useAfterRelease: async (world) => {
    const client = await world.pool.connect();
    client.release();
    await refused(world, 'LEASE_ENDED', () => client.query(READ, [1]));
  },

  releaseTwice: async (world) => {
    const client = await world.pool.connect();
    client.release();
    await Promise.resolve();
    try {
      client.release();
    } catch {
      return;
    }
    world.call.wrong('released a client twice');
  },

  vacuum: (world) => refused(world, '25001', () => world.dataSource.query('VACUUM account')),

  readAfterMisuse: (world) =>
    withClient(world, async (client) => {
      await client.query('SET search_path = pg_catalog');
      check(world, (await client.query<Row>(READ, [key(world)])).rows, 'after SET search_path');
    }),
};

/** Behind a pooler the session of the one before may still be there, with what it left. */
function ignoreExisting(code: string) {
  return (error: { readonly code?: string; readonly driverError?: { readonly code?: string } }): void => {
    if ((error.driverError?.code ?? error.code) !== code) throw error as unknown as Error;
  };
}
