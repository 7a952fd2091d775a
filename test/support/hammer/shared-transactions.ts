import { setImmediate as nextTurn } from 'node:timers/promises';
import { check, INSERT, type Operation, type OperationWorld, READ_ALL, refused } from './operation';

const ON_PURPOSE = new Error('rolled back on purpose');

/** Each ends the transaction, and hides it from who reads texts with expressions. */
const HIDDEN_COMMITS = [
  'COMMIT; SELECT 1',
  "SELECT 'begin atomic'; COMMIT; SELECT 1",
  '/* begin atomic */ COMMIT',
  '/* a /* nested */ comment */ COMMIT',
  "SELECT E'it\\'s', ''; COMMIT; SELECT ''",
  'SELECT $a$;$a$; END; SELECT $b$ $b$',
];

/** A shared transaction that must not keep its own stamp: its error has the code, or it is a wrong write. */
async function keepsNothing(
  world: OperationWorld,
  code: string,
  work: () => Promise<unknown>,
): Promise<void> {
  world.call.drop();
  await refused(world, code, () => world.transactions.run(work));
}

const codeOf = (result: PromiseSettledResult<unknown>): unknown =>
  result.status === 'rejected' ? (result.reason as { code?: unknown }).code : undefined;

async function waitTurns(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await nextTurn();
}

const unheeded = (work: Promise<unknown>): void => void work.catch(() => undefined);

/** Shared transactions whose parts are not awaited, left open, or hide how they end. */
export const SHARED_TRANSACTIONS: Readonly<Record<string, Operation>> = {
  insertUnawaited: async ({ call, dataSource, transactions }) => {
    await transactions.run(() => {
      unheeded(dataSource.query(INSERT, [call.stamp]));
      return Promise.resolve();
    });
    call.keep();
  },

  failUnawaited: (world) =>
    keepsNothing(world, 'TRANSACTION_DOOMED', async () => {
      await world.dataSource.query(INSERT, [world.call.stamp]);
      unheeded(world.dataSource.query('SELECT 1/0'));
    }),

  leaveInnerOpen: (world) =>
    keepsNothing(world, 'TRANSACTION_DOOMED', async () => {
      const runner = world.dataSource.createQueryRunner();
      await runner.startTransaction();
      await runner.query(INSERT, [world.call.stamp]);
    }),

  rollBackInner: (world) =>
    keepsNothing(world, 'TRANSACTION_DOOMED', async () => {
      await world.dataSource.query(INSERT, [world.call.stamp]);
      const inner = world.dataSource.transaction(() => Promise.reject(ON_PURPOSE));
      await inner.catch(() => undefined);
    }),

  /** Part of it, or its doom, or on a connection of its own: never half of each. */
  askAboutTheEnd: async (world) => {
    const { call, dataSource, transactions } = world;
    const lateStamp = call.newStamp();
    const late: Promise<unknown>[] = [];
    const whole = transactions.run(async () => {
      await dataSource.query(INSERT, [call.stamp]);
      const turns = call.random.integer(4);
      late.push(waitTurns(turns).then(() => dataSource.query(INSERT, [lateStamp])));
      late.forEach(unheeded);
    });
    const [ended] = await Promise.allSettled([whole]);
    const [asked] = await Promise.allSettled(late);
    if (ended.status === 'fulfilled') call.keep();
    if (ended.status === 'fulfilled' && asked?.status === 'fulfilled') call.keep(lateStamp);
    if (codeOf(ended) === 'TRANSACTION_DOOMED') [call.stamp, lateStamp].forEach((stamp) => call.drop(stamp));
    if (ended.status === 'rejected') throw ended.reason;
  },

  hideCommit: async (world) => {
    const { call, dataSource, transactions } = world;
    call.drop();
    const work = transactions.run(async () => {
      await dataSource.query(INSERT, [call.stamp]);
      // Refused, or taken for the end of a part: never sent.
      await dataSource.query(call.random.pick(HIDDEN_COMMITS)).catch(() => undefined);
      check(world, await dataSource.query(READ_ALL), 'after a hidden COMMIT');
      throw ON_PURPOSE;
    });
    await work.catch((error: unknown) => {
      if (error !== ON_PURPOSE) throw error;
    });
  },
};
