import { Client, type Pool } from 'pg';
import type { CheckedDatabaseOptions } from '../../connection/database.options';
import { probeSession, probeWay } from '../../connection/protocol/session-probe';
import { directConnection } from '../../connection/typeorm/own-connections';
import { isSameDatabase } from '../../connection/typeorm/other-ways';
import { type Check, type Finding, ok, problem, skipped, warning } from './finding';

/** Whether sessions begin with an empty search path, and which pooler stands before PostgreSQL. */
export const checkSessions: Check = async ({ options, pool }) => {
  const { pooler, searchPath, sessionPathIsEmpty, directUrlNeeded } = await probeSession(pool);
  const path = sessionPathIsEmpty
    ? ok('session path', 'sessions begin with an empty search_path')
    : problem(
        'session path',
        `sessions begin with the search_path ${searchPath}, so code without a tenant would reach its tables`,
        `ALTER ROLE … SET search_path = '' for the application's role, because a pooler drops the start-up option for it`,
      );
  const names = {
    none: 'no pooler',
    session: 'a pooler in session mode',
    transaction: 'a pooler in transaction mode',
  };
  const found = ok(
    'pooler',
    pooler === 'unknown' ? 'a pooler, in a mode that could not be determined' : names[pooler],
  );
  return [path, found, await checkDirectUrl(options.database, pool, directUrlNeeded)];
};

const CANNOT_WORK = 'LISTEN, session locks and migrations with transaction = false cannot work';
const REMEDY = 'set database.directUrl (TENANCY_DIRECT_URL) to a URL that leads to PostgreSQL itself';

/** Where it leads is asked, since it may name another pooler, or the same by another name. */
async function checkDirectUrl(
  database: CheckedDatabaseOptions,
  pool: Pool,
  isNeeded: boolean,
): Promise<Finding> {
  const check = 'directUrl';
  if (database.directUrl === undefined)
    return isNeeded
      ? warning(check, `the pooler shares sessions: ${CANNOT_WORK}`, REMEDY)
      : skipped(check, 'not needed without a pooler that shares sessions');
  if (!(await leadsToSameDatabase(database, pool)))
    return problem(
      check,
      'leads to another database than database.url, or to a replica of it, where nobody hears of a change',
      REMEDY,
    );
  const pooler = await probeWay(directConnection(database));
  if (pooler === 'none') return ok(check, 'is set, and leads to PostgreSQL itself');
  return pooler === 'session'
    ? warning(
        check,
        'leads to a pooler in session mode: migrations with transaction = false are refused there',
        REMEDY,
      )
    : warning(
        check,
        `leads to a pooler that ${pooler === 'unknown' ? 'may share' : 'shares'} sessions: ${CANNOT_WORK}`,
        REMEDY,
      );
}

async function leadsToSameDatabase(database: CheckedDatabaseOptions, pool: Pool): Promise<boolean> {
  const direct = new Client(directConnection(database));
  direct.on('error', () => undefined);
  const holder = await pool.connect();
  try {
    await direct.connect();
    await holder.query('BEGIN');
    return await isSameDatabase(holder, direct);
  } finally {
    await holder.query('ROLLBACK').then(
      () => holder.release(),
      (error: Error) => holder.release(error),
    );
    await direct.end().catch(() => undefined);
  }
}
