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

/** How much of a statement is shown, enough to recognize it. */
const EXCERPT = 120;

/**
 * Makes a clone under an unused name, verifies it, and rolls it back. So errors that the catalogs do not show come up
 * before a tenant is waiting. Returns how clones print differently without a difference in meaning; `undefined` when
 * the server lacked the resources to find out. Call it in a transaction, which stays usable.
 *
 * @throws SchemaNotCloneableError with the statement that fails
 * @throws CloneNotFaithfulError with what differs
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
    warn(
      `A trial clone of the template could not be made, because the server lacks resources: ${withHint(failure)}`,
    );
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

/** When one clone needs this share of the server's lock table, two sign-ups at once may exhaust it. */
const LARGE_SHARE = 0.5;

/** Each new table, index and sequence stays locked until the transaction ends. */
async function warnOfLocks(executor: SqlExecutor, warn: (message: string) => void): Promise<void> {
  const [{ held, room }] = (await executor.query(
    `SELECT (SELECT pg_catalog.count(DISTINCT (locktype, relation, classid, objid)) FROM pg_catalog.pg_locks WHERE pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())::int AS held,
            pg_catalog.current_setting('max_locks_per_transaction')::int OPERATOR(pg_catalog.*)
              (pg_catalog.current_setting('max_connections')::int OPERATOR(pg_catalog.+)
               pg_catalog.current_setting('max_prepared_transactions')::int) AS room`,
  )) as { held: number; room: number }[];
  if (held < room * LARGE_SHARE) return;
  warn(
    `Creating a tenant takes ${held} locks in one transaction, and the server has about ${room} for all sessions together. ` +
      'Raise max_locks_per_transaction, or sign-ups at the same time will fail.',
  );
}

function remedyFor({ rowsAt, copies = 0 }: Blueprint, place: number): string {
  return place >= rowsAt && place < rowsAt + copies
    ? 'Correct the rows of that table so that they could be inserted again, or leave the table out of templateData.'
    : 'Write it without objects that a clone does not have yet at that moment, or keep it in a shared schema.';
}

/**
 * The place of the first statement that fails, found by bisection: the error of all statements together does not tell
 * which.
 */
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

/** The error of `work`, or `undefined`. Its changes are rolled back either way. */
async function undone(executor: SqlExecutor, work: () => Promise<void>): Promise<Error | undefined> {
  await executor.query('SAVEPOINT trial');
  const failure = await work().then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error : new Error(String(error), { cause: error })),
  );
  await executor.query('ROLLBACK TO SAVEPOINT trial');
  return failure;
}
