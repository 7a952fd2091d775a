import { isOutage } from '../common/outage';
import type { SqlExecutor } from '../common/sql';
import { TenancyError } from '../common/tenancy.errors';
import { remedyForPath } from './bare-path';
import type { Blueprint } from './blueprint';
import { replayBlueprint } from './clone';
import { withOwnName } from './own-name';
import { bothPrints, type Prints } from './prints';
import { withHint } from '../common/database-hint';
import { SchemaNotCloneableError } from './schema.errors';
import { verifyClone } from './verify';

/** SQLSTATE class 53, insufficient resources: a full disk or lock table says nothing about the schema. */
const NO_RESOURCES = /^53/;

/** Enough of a statement to know it by. */
const EXCERPT = 120;

/**
 * Makes a clone under a name that is free, verifies it, and undoes it all. What no look at the catalogs foretells is told
 * here, before anybody waits for a tenant. Gives what clones print otherwise, and mean the same; `undefined` when the
 * server had no room to find out. Needs a transaction of the caller's, which stays usable.
 *
 * @throws SchemaNotCloneableError with the statement that fails, CloneNotFaithfulError with what is not alike
 */
export async function tryBlueprint(
  executor: SqlExecutor,
  blueprint: Blueprint,
  freeName: string,
  warn: (message: string) => void = () => undefined,
): Promise<Prints | undefined> {
  let prints: Prints | undefined;
  const failure = await undone(executor, async () => {
    await replayBlueprint(executor, blueprint, freeName);
    await warnOfLocks(executor, warn);
    prints = bothPrints(blueprint.prints, await verifyClone(executor, blueprint, freeName));
  });
  if (failure === undefined) return prints;
  if (failure instanceof TenancyError || isOutage(failure)) throw failure;
  if (NO_RESOURCES.test(String('code' in failure && failure.code))) {
    warn(`No tenant could be made just now, because the server has no room: ${withHint(failure)}`);
    return undefined;
  }
  const place = await findCulprit(executor, blueprint, freeName);
  throw new SchemaNotCloneableError(blueprint.schemaName, [
    {
      object: withOwnName(blueprint.statements[place], blueprint.schemaName).slice(0, EXCERPT),
      remedy: `PostgreSQL refused this in a clone: ${failure.message}. ${remedyForPath(failure) ?? remedyFor(blueprint, place)}`,
    },
  ]);
}

/** The share of the server's lock table from which two sign-ups at once may exhaust it. */
const LARGE_SHARE = 0.5;

/** Each table, index and sequence that is made stays locked until the transaction ends. */
async function warnOfLocks(executor: SqlExecutor, warn: (message: string) => void): Promise<void> {
  const [{ held, room }] = (await executor.query(
    `SELECT (SELECT pg_catalog.count(DISTINCT (locktype, relation, classid, objid)) FROM pg_catalog.pg_locks WHERE pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())::int AS held,
            pg_catalog.current_setting('max_locks_per_transaction')::int OPERATOR(pg_catalog.*)
              (pg_catalog.current_setting('max_connections')::int OPERATOR(pg_catalog.+)
               pg_catalog.current_setting('max_prepared_transactions')::int) AS room`,
  )) as { held: number; room: number }[];
  if (held < room * LARGE_SHARE) return;
  warn(
    `To make a tenant takes ${held} locks at once, and the server has room for about ${room} of all sessions together. ` +
      'Raise max_locks_per_transaction, or sign-ups at the same time will fail.',
  );
}

function remedyFor({ rowsAt, copies = 0 }: Blueprint, place: number): string {
  return place >= rowsAt && place < rowsAt + copies
    ? 'Correct the rows of that table so that it would take them anew, or leave it out of templateData.'
    : 'Write it without what a clone has not got yet at that moment, or keep it in a shared schema.';
}

/** The place of the first statement that fails, found by halves: the error of all of them together does not tell. */
async function findCulprit(executor: SqlExecutor, blueprint: Blueprint, freeName: string): Promise<number> {
  const { statements } = blueprint;
  let [working, failing] = [0, statements.length];
  while (failing - working > 1) {
    const middle = (working + failing) >> 1;
    const some = { ...blueprint, statements: statements.slice(0, middle) };
    const failure = await undone(executor, () => replayBlueprint(executor, some, freeName));
    if (failure === undefined) working = middle;
    else failing = middle;
  }
  return failing - 1;
}

/** What `work` failed with, if it failed. Nothing of it is left. */
async function undone(executor: SqlExecutor, work: () => Promise<void>): Promise<Error | undefined> {
  await executor.query('SAVEPOINT trial');
  const failure = await work().then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error : new Error(String(error), { cause: error })),
  );
  await executor.query('ROLLBACK TO SAVEPOINT trial');
  return failure;
}
