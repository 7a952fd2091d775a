import { quoteIdentifier, quoteLiteral, type SqlExecutor, sqlStateOf } from '../common/sql';

/** Below PostgreSQL's deadlock_timeout, which is a second: who waits for a lock makes all others wait behind it. */
const LOCK_TIMEOUT = '500ms';

/** lock_not_available, deadlock_detected: somebody else has what the fence needs. */
const TAKEN = new Set(['55P03', '40P01']);

export function isTaken(error: unknown): boolean {
  return TAKEN.has(sqlStateOf(error) ?? '');
}

/**
 * Lets nobody write to the tables, until the transaction ends. Reading goes on. What writes already is waited for, half a second for each table.
 *
 * @param tables quoted and qualified
 */
export async function stopWrites(transaction: SqlExecutor, tables: readonly string[]): Promise<void> {
  await transaction.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
  if (tables.length > 0)
    await transaction.query(`LOCK TABLE ONLY ${tables.join(', ONLY ')} IN SHARE ROW EXCLUSIVE MODE`);
}

/** What refuses writes in a schema that was put away. */
const GUARD = 'tenancy_has_moved';

/**
 * Lets nobody write to tables of a schema that is put away. A write by name finds them no more, but views, rules, functions with a
 * body of SQL and open cursors know them by number: what has waited there for the lock would be written after the copy.
 *
 * @param tables which `stopWrites` has locked, qualified with the name that the schema has now
 */
export async function guard(
  transaction: SqlExecutor,
  schemaName: string,
  tables: readonly string[],
): Promise<void> {
  const name = `${quoteIdentifier(schemaName)}.${GUARD}`;
  const triggers = tables.map(
    (table) =>
      `CREATE TRIGGER ${GUARD} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON ${table} EXECUTE FUNCTION ${name}();
       ALTER TABLE ${table} ENABLE ALWAYS TRIGGER ${GUARD};`,
  );
  await transaction.query(
    `CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql
       AS $$BEGIN RAISE EXCEPTION 'the tenant lives elsewhere' USING ERRCODE = 'undefined_table'; END$$;
     ${triggers.join('\n')}`,
  );
}

/** The schema is the tenant's again. */
export async function unguard(transaction: SqlExecutor, schemaName: string): Promise<void> {
  await transaction.query(`DROP FUNCTION IF EXISTS ${quoteIdentifier(schemaName)}.${GUARD}() CASCADE`);
}

/** Whether somebody else makes a table or a view in the schema, in a transaction that is still open. */
export async function isBeingBuiltIn(transaction: SqlExecutor, schemaName: string): Promise<boolean> {
  const [{ isBuilt }] = (await transaction.query(
    `SELECT EXISTS (
       SELECT FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d ON d.oid = l.database
       WHERE l.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.datname = pg_catalog.current_database()
         AND l.objid = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1) AND l.pid <> pg_catalog.pg_backend_pid()
     ) AS "isBuilt"`,
    [schemaName],
  )) as { isBuilt: boolean }[];
  return isBuilt;
}

/** Where a sequence stands. */
export interface Position {
  readonly name: string;
  readonly value: string;
  readonly isCalled: boolean;
}

/**
 * The positions of all sequences of a schema. With `areKept` nobody can take a number until the transaction ends: reading goes on
 * while tables are locked, and a reader may ask for a number.
 */
export async function readPositions(
  transaction: SqlExecutor,
  schemaName: string,
  { areKept = false } = {},
): Promise<Position[]> {
  const sequences = (await transaction.query(
    `SELECT c.relname AS name, s.seqcache AS cache FROM pg_catalog.pg_sequence s
     JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 ORDER BY 1`,
    [schemaName],
  )) as { name: string; cache: string }[];
  if (sequences.length === 0) return [];
  const fullName = (name: string) => `${quoteIdentifier(schemaName)}.${quoteIdentifier(name)}`;
  if (areKept) {
    // There is no LOCK for sequences. This changes nothing, and waits for who takes numbers.
    const keep = sequences.map(({ name, cache }) => `ALTER SEQUENCE ${fullName(name)} CACHE ${cache}`);
    await transaction.query(keep.join('; '));
  }
  const read = sequences.map(
    ({ name }) =>
      `SELECT ${quoteLiteral(name)} AS name, last_value::text AS value, is_called AS "isCalled" FROM ${fullName(name)}`,
  );
  return (await transaction.query(read.join(' UNION ALL '))) as Position[];
}

/** Sets sequences of a schema to these positions. */
export async function setPositions(
  transaction: SqlExecutor,
  schemaName: string,
  positions: readonly Position[],
): Promise<void> {
  if (positions.length === 0) return;
  await transaction.query(
    `SELECT pg_catalog.setval(pg_catalog.format('%I.%I', $1::text, name)::pg_catalog.regclass, value, called)
     FROM unnest($2::text[], $3::bigint[], $4::boolean[]) AS position (name, value, called)`,
    [
      schemaName,
      positions.map(({ name }) => name),
      positions.map(({ value }) => value),
      positions.map(({ isCalled }) => isCalled),
    ],
  );
}

/** What a schema is called that was put away, and of what registry and move its comment speaks. */
export async function putAway(
  transaction: SqlExecutor,
  from: string,
  to: string,
  comment: string,
): Promise<void> {
  await transaction.query(
    `ALTER SCHEMA ${quoteIdentifier(from)} RENAME TO ${quoteIdentifier(to)}; ${comment}`,
  );
}

/** The part of a schema's comment before its mark; `undefined` when there is no such schema. */
export async function purposeOf(executor: SqlExecutor, schemaName: string): Promise<string | undefined> {
  const [row] = (await executor.query(
    `SELECT COALESCE(pg_catalog.split_part(pg_catalog.obj_description(oid, 'pg_namespace'), '; registry ', 1), '') AS purpose
     FROM pg_catalog.pg_namespace WHERE nspname = $1`,
    [schemaName],
  )) as { purpose: string }[];
  return row?.purpose;
}
