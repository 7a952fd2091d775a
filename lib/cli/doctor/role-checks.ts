import { findRoleProblems } from '../../provisioning/role-checks';
import { type Check, type Finding, ok, skipped } from './finding';

/** Whether the second wall stands. */
export const checkRoles: Check = async ({ options, database, pool }) => {
  if (!options.roles) return skipped('roles', 'not asked for: all tenants share one PostgreSQL role');
  const asLogin = {
    query: async (sql: string, values?: unknown[]) => (await pool.query<object>(sql, values)).rows,
  };
  const found = await findRoleProblems(asLogin, database, {
    ...options,
    registrySchema: options.registry.schema,
  });
  if (found.length === 0) return ok('roles', 'PostgreSQL keeps each tenant to its own schema');
  // Each message ends with what to run.
  return found.map(({ message }): Finding => ({ check: 'roles', severity: 'problem', message }));
};
