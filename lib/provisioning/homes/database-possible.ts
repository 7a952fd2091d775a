import { inRemedy, type SqlExecutor } from '../../common/sql';
import { DEFAULT_SERVER } from '../../placement/place';

/** PostgreSQL's own empty database. It takes any locale, and has no session ever. */
export const EMPTY_DATABASE = 'template0';

/** What decides whether a server can have databases of tenants. */
export interface DatabaseOrigin {
  readonly server: string;
  /** The database that they are made from. */
  readonly template: string;
  readonly sharedSchemas: readonly string[];
}

interface ServerState {
  readonly role: string;
  readonly mayCreate: boolean;
  readonly hasCitus: boolean;
  /** The shared schemas with something in them. */
  readonly filled: readonly string[];
}

/** SQL: what is in the shared schemas of a database, by names that do not depend on the path of the session. */
const SHARED = `
  SELECT o.type || ' ' || o.identity AS what, n.nspname::text AS schema
  FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_namespace n
    ON d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid = n.oid
  CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, 0) o
  WHERE n.nspname = ANY ($1::name[]) ORDER BY 1`;

interface Shared {
  readonly what: string;
  readonly schema: string;
}

/** What is in the shared schemas of the database that `executor` works in. */
export async function listShared(executor: SqlExecutor, sharedSchemas: readonly string[]): Promise<Shared[]> {
  return (await executor.query(SHARED, [sharedSchemas])) as Shared[];
}

/**
 * Why a server cannot have a database for a tenant, and what to do; `undefined` when it can.
 *
 * @param executor in the server's main database, as the role that makes schemas
 */
export async function findObstacle(
  executor: SqlExecutor,
  origin: DatabaseOrigin,
): Promise<string | undefined> {
  const [state] = (await executor.query(
    `SELECT current_user::text AS role, r.rolcreatedb OR r.rolsuper AS "mayCreate",
            EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'citus') AS "hasCitus"
     FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`,
  )) as Omit<ServerState, 'filled'>[];
  const found = await listShared(executor, origin.sharedSchemas);
  return explain(origin, { ...state, filled: [...new Set(found.map(({ schema }) => schema))] });
}

function explain(
  { server, template }: DatabaseOrigin,
  { role, mayCreate, hasCitus, filled }: ServerState,
): string | undefined {
  if (hasCitus)
    return (
      `The server "${server}" has Citus, which does not spread databases over its nodes: a tenant there has a schema. Say ` +
      "isolation: 'schema', or choose another server."
    );
  if (!mayCreate)
    return `The role "${role}" may not make databases on the server "${server}". Run: ALTER ROLE ${inRemedy(role)} CREATEDB.`;
  if (template === EMPTY_DATABASE && filled.length > 0) {
    const option = server === DEFAULT_SERVER ? 'database' : `servers.${server}`;
    return (
      `sharedSchemas has ${filled.map((name) => `"${name}"`).join(', ')}, and a database of its own would lack what is in it. Make a ` +
      `database on the server "${server}" that has the same in it, and name it as ${option}.databaseTemplate.`
    );
  }
  return undefined;
}
