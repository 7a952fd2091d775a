import { probeSession } from '../../connection/protocol/session-probe';
import { type Check, ok, problem, skipped, warning } from './finding';

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
  if (!directUrlNeeded)
    return [path, found, skipped('directUrl', 'not needed without a pooler that shares sessions')];
  const direct =
    options.database.directUrl === undefined
      ? warning(
          'directUrl',
          'the pooler shares sessions: LISTEN, session locks and migrations with transaction = false cannot work',
          'set database.directUrl (TENANCY_DIRECT_URL) to a URL that leads to PostgreSQL itself',
        )
      : ok('directUrl', 'is set, and leads around the pooler');
  return [path, found, direct];
};
