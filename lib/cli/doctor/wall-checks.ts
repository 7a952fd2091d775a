import { findRoleProblems } from '../../provisioning/roles/role-checks';
import { type Check, type Finding, ok, type Patient, skipped, warning } from './finding';

/** Whether the roles of tenants keep each one to its schema. */
export const checkRoles: Check = async ({ options, database, pool }) => {
  if (!options.roles) return skipped('roles', 'not enabled: all tenants share one PostgreSQL role');
  const asLogin = {
    query: async (sql: string, values?: unknown[]) => (await pool.query<object>(sql, values)).rows,
  };
  const found = await findRoleProblems(asLogin, database, {
    ...options,
    registrySchema: options.registry.schema,
  });
  if (found.length === 0)
    return [
      ok('roles', 'PostgreSQL keeps each tenant to its own schema'),
      await checkSessionFunctions(database),
      await checkComments(database),
    ];
  // Each message ends with the statement to run.
  return found.map(({ message }): Finding => ({ check: 'roles', severity: 'problem', message }));
};

/**
 * Functions that show or end other sessions. Code that has left its tenant's role could call them, because all tenants
 * log in as one role.
 */
const SESSION_FUNCTIONS = [
  'pg_stat_get_activity',
  'pg_stat_get_backend_activity',
  'pg_cancel_backend',
  'pg_terminate_backend',
];

async function checkSessionFunctions(database: Patient['database']): Promise<Finding> {
  const open = await database.query<{ name: string; owner: string }[]>(
    `SELECT pg_catalog.format('pg_catalog.%I(%s)', proname, pg_catalog.oidvectortypes(proargtypes)) AS name,
            pg_catalog.quote_ident(current_user) AS owner
     FROM pg_catalog.pg_proc
     WHERE pronamespace = 'pg_catalog'::pg_catalog.regnamespace AND proname = ANY ($1::name[])
       AND pg_catalog.has_function_privilege('public', oid, 'EXECUTE')
     ORDER BY 1`,
    [SESSION_FUNCTIONS],
  );
  if (open.length === 0) return ok('other sessions', 'tenants can neither see nor terminate them');
  const functions = open.map(({ name }) => name).join(', ');
  return warning(
    'other sessions',
    'a statement that leaves its tenant’s role sees what other tenants run, and may terminate it',
    `run as a superuser: REVOKE EXECUTE ON FUNCTION ${functions} FROM PUBLIC; ` +
      `GRANT EXECUTE ON FUNCTION ${functions} TO pg_monitor, ${open[0].owner}`,
  );
}

/** The comment on a tenant's schema contains the tenant's slug, for people. */
async function checkComments(database: Patient['database']): Promise<Finding> {
  const [{ isOpen, owner }] = await database.query<{ isOpen: boolean; owner: string }[]>(
    `SELECT pg_catalog.has_table_privilege('public', 'pg_catalog.pg_description', 'SELECT') AS "isOpen",
            pg_catalog.quote_ident(current_user) AS owner`,
  );
  if (!isOpen) return ok('comments', 'tenants cannot read those on the schemas of others');
  return warning(
    'comments',
    'tenants can read the comments on the schemas of others, which have their slugs',
    'run as a superuser: REVOKE SELECT ON pg_catalog.pg_description FROM PUBLIC; ' +
      `GRANT SELECT ON pg_catalog.pg_description TO pg_monitor, ${owner}`,
  );
}
