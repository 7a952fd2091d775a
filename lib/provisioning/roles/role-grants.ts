import { inRemedy, quoteIdentifier, type SqlExecutor } from '../../common/sql';
import { OWN_NAME } from '../../registry/schema-name';
import { roleOfSchema, roleOfSchemaSql } from '../../registry/tenant-role';

/**
 * The rights of a tenant on its tables and views. REFERENCES and TRIGGER are not among them, because they concern the
 * structure.
 */
const TABLES = 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE';
const SEQUENCES = 'USAGE, SELECT, UPDATE';

/** What a tenant's role already has. */
interface RoleState {
  readonly exists: boolean;
  /** Whether it can log in, or has other attributes that a tenant's role must not have. */
  readonly isForeign: boolean;
  readonly hasGrants: boolean;
  readonly hasMember: boolean;
  /** Whether the current user may let others become it. */
  readonly isGrantable: boolean;
  /** Who may. */
  readonly admins: readonly string[];
}

const STATE = `
  SELECT n.nspname AS name, r.oid IS NOT NULL AS "exists",
         coalesce(r.rolcanlogin OR r.rolsuper OR r.rolcreaterole OR r.rolreplication OR r.rolbypassrls, false) AS "isForeign",
         coalesce(pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE'), false) AS "hasGrants",
         EXISTS (SELECT FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles l ON l.oid = m.member
                 WHERE m.roleid = r.oid AND l.rolname = $2) AS "hasMember",
         coalesce(pg_catalog.pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION'), true)
           OR pg_catalog.current_setting('server_version_num')::int < 160000 AS "isGrantable",
         ARRAY(SELECT DISTINCT m.member::pg_catalog.regrole::text FROM pg_catalog.pg_auth_members m
               WHERE m.roleid = r.oid AND m.admin_option ORDER BY 1) AS admins
  FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_roles r ON r.rolname = ${roleOfSchemaSql('n.nspname')}
  WHERE n.nspname = ANY ($1::name[])`;

/** The existing schemas among the given ones whose role is missing or lacks something. */
export async function findUnprepared(
  executor: SqlExecutor,
  schemaNames: readonly string[],
  loginRole: string,
): Promise<string[]> {
  const found = (await executor.query(
    `SELECT name FROM (${STATE}) AS state WHERE NOT ("hasGrants" AND "hasMember") ORDER BY name`,
    [schemaNames, loginRole],
  )) as { name: string }[];
  return found.map(({ name }) => name);
}

/**
 * Makes a schema's role, within the caller's transaction, if it is not complete: the role may use the schema and the
 * objects that are in it or that its owner will make in it, and `loginRole` may become the role. A complete role costs
 * one query.
 *
 * @throws RangeError when a role with this name exists and can do more, or is another owner's
 */
export async function prepareTenantRole(
  transaction: SqlExecutor,
  schemaName: string,
  loginRole: string,
): Promise<void> {
  const read = async (): Promise<RoleState | undefined> => {
    const [state] = (await transaction.query(STATE, [[schemaName], loginRole])) as RoleState[];
    return state;
  };
  if (isComplete(await read())) return;
  // Several instances may start at once.
  await transaction.query(
    `SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('tenancy role'), pg_catalog.hashtext($1))`,
    [schemaName],
  );
  const state = await read();
  if (!state || isComplete(state)) return;
  const role = roleOfSchema(schemaName);
  if (state.isForeign) {
    throw new RangeError(
      `The role "${role}" of the schema "${schemaName}" can log in, or has attributes that no tenant's role has. ` +
        'It was not made here: rename it.',
    );
  }
  if (!state.hasMember && !state.isGrantable) {
    const by = state.admins.length > 0 ? state.admins.join(' or ') : 'a superuser';
    throw new RangeError(
      `The role "${role}" of the schema "${schemaName}" is there already, for another database of this PostgreSQL: roles belong to ` +
        'all of them. Another owner made it, who must let this one use it. ' +
        `As ${by}, run: GRANT ${inRemedy(role)} TO the role of adminUrl WITH ADMIN OPTION. Or let both databases have one adminUrl.`,
    );
  }
  const statements = [
    ...(state.exists ? [] : [`CREATE ROLE ${quoteIdentifier(role)} NOLOGIN`]),
    ...(state.hasGrants ? [] : await grants(transaction, schemaName, quoteIdentifier(role))),
    ...(state.hasMember ? [] : [await membership(transaction, role, loginRole)]),
  ];
  await transaction.query(statements.join(';\n'));
}

function isComplete(state: RoleState | undefined): boolean {
  return state !== undefined && state.hasGrants && state.hasMember && !state.isForeign;
}

/**
 * Tables, views and sequences of a schema, found by their dependency on it, which has an index. For GRANT … ON ALL
 * TABLES PostgreSQL would read all of pg_class, with the relations of all tenants, once for each kind.
 */
const RELATIONS = `
  SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, c.relkind = 'S' AS "isSequence"
  FROM pg_catalog.pg_namespace n
  JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid = n.oid
    AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
  JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  WHERE n.nspname = $1 ORDER BY 1`;

async function grants(executor: SqlExecutor, schemaName: string, role: string): Promise<string[]> {
  const relations = (await executor.query(RELATIONS, [schemaName])) as {
    name: string;
    isSequence: boolean;
  }[];
  const granted = (rights: string, kind: string, isSequence: boolean): string[] => {
    const names = relations.filter((each) => each.isSequence === isSequence).map(({ name }) => name);
    return names.length === 0 ? [] : [`GRANT ${rights} ON ${kind} ${names.join(', ')} TO ${role}`];
  };
  const schema = quoteIdentifier(schemaName);
  const future = `ALTER DEFAULT PRIVILEGES IN SCHEMA ${schema}`;
  return [
    `GRANT USAGE ON SCHEMA ${schema} TO ${role}`,
    ...granted(TABLES, 'TABLE', false),
    ...granted(SEQUENCES, 'SEQUENCE', true),
    `GRANT EXECUTE ON ALL ROUTINES IN SCHEMA ${schema} TO ${role}`,
    `${future} GRANT ${TABLES} ON TABLES TO ${role}`,
    `${future} GRANT ${SEQUENCES} ON SEQUENCES TO ${role}`,
    `${future} GRANT EXECUTE ON ROUTINES TO ${role}`,
  ];
}

/** PostgreSQL 15 has no options of a membership. There, NOINHERIT of the login role has the same effect. */
async function membership(executor: SqlExecutor, role: string, loginRole: string): Promise<string> {
  const [{ options }] = (await executor.query(
    `SELECT CASE WHEN pg_catalog.current_setting('server_version_num')::int < 160000 THEN ''
            ELSE 'WITH INHERIT FALSE, SET TRUE' END AS options`,
  )) as { options: string }[];
  return `GRANT ${quoteIdentifier(role)} TO ${quoteIdentifier(loginRole)} ${options}`;
}

/** Whether the current user may drop the role `r`. PostgreSQL 15 only requires CREATEROLE. */
const MAY_DROP = `EXISTS (
  SELECT FROM pg_catalog.pg_roles me WHERE me.rolname = current_user AND (me.rolsuper OR me.rolcreaterole AND (
    pg_catalog.current_setting('server_version_num')::int < 160000
    OR EXISTS (SELECT FROM pg_catalog.pg_auth_members m
               WHERE m.roleid = r.oid AND m.member = me.oid AND m.admin_option))))`;

/** Whether nothing on the whole server depends on the role `r`: no grant and no object in any database. */
const IS_UNUSED = `NOT EXISTS (
  SELECT FROM pg_catalog.pg_shdepend WHERE refclassid = 'pg_catalog.pg_authid'::regclass AND refobjid = r.oid)`;

/**
 * Drops the role of a schema that was dropped, if there is one. The role stays while something depends on it: another
 * database that is a copy of this one, or a temporary table of an open session. The sweeper drops it later.
 */
export async function dropTenantRole(transaction: SqlExecutor, schemaName: string): Promise<void> {
  await dropRoles(transaction, 'r.rolname = $1', roleOfSchema(schemaName));
}

/** Drops roles with names like those of tenants that the login role may become and that nothing depends on. */
export async function dropUnusedRoles(transaction: SqlExecutor, loginRole: string): Promise<string[]> {
  const isOurs = `r.rolname ~ '${OWN_NAME}' AND EXISTS (
    SELECT FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles l ON l.oid = m.member
    WHERE m.roleid = r.oid AND l.rolname = $1)`;
  return dropRoles(transaction, isOurs, loginRole);
}

async function dropRoles(transaction: SqlExecutor, condition: string, value: string): Promise<string[]> {
  const found = (await transaction.query(
    `SELECT r.rolname AS name FROM pg_catalog.pg_roles r
     WHERE ${condition} AND NOT r.rolcanlogin AND ${IS_UNUSED} AND ${MAY_DROP} ORDER BY 1`,
    [value],
  )) as { name: string }[];
  const names = found.map(({ name }) => name);
  if (names.length > 0) await transaction.query(`DROP ROLE ${names.map(quoteIdentifier).join(', ')}`);
  return names;
}
