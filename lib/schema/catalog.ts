import { type SqlExecutor, quoteIdentifier } from '../common/sql';
import { catalogsInUse } from './catalogs-in-use';
import { SchemaNotFoundError, TransactionRequiredError } from './schema.errors';

/** A schema as `pg_namespace` knows it. */
export interface CatalogSchema {
  readonly oid: number;
  readonly name: string;
  /** Those in which it may have objects: see `neededFor`. */
  readonly catalogs: ReadonlySet<string>;
}

/**
 * What decides how PostgreSQL prints the same object. Pinned as pg_dump pins them, so that a constant prints alike in
 * every session and reads back as the same value.
 */
const PRINTING_SETTINGS: Readonly<Record<string, string>> = {
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  extra_float_digits: '1',
  bytea_output: 'hex',
  lc_monetary: 'C',
  quote_all_identifiers: 'off',
  standard_conforming_strings: 'on',
  xmloption: 'content',
};

/** A row that a policy hides would be taken for one that is not there: PostgreSQL refuses the query instead. */
export const READING_SETTINGS: Readonly<Record<string, string>> = { row_security: 'off' };

/**
 * Looks catalogs up by index. The planner knows nothing of the few oids that will come, and would read pg_class or
 * pg_depend whole, whose size follows the number of tenants.
 */
export const PLANNER_SETTINGS: Readonly<Record<string, string>> = {
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  jit: 'off',
  max_parallel_workers_per_gather: '0',
};

const READER_SETTINGS = { ...PLANNER_SETTINGS, ...READING_SETTINGS };

export async function rows<Row>(executor: SqlExecutor, sql: string, values?: unknown[]): Promise<Row[]> {
  return (await executor.query(sql, values)) as Row[];
}

/**
 * Runs `work` with the schema on the search path, and those `behind` it, then puts the transaction's settings back. `settings` are set beside the usual ones. Throws `TransactionRequiredError`.
 *
 * `pg_temp` is named last, because unnamed it would come first, and a temporary table would hide the schema's own.
 */
export function withSearchPath<T>(
  executor: SqlExecutor,
  schemaName: string,
  work: () => Promise<T>,
  settings: Readonly<Record<string, string>> = {},
  behind: readonly string[] = [],
): Promise<T> {
  const wanted = settingsIn(schemaName, { ...settings, search_path: pathTo(schemaName, behind) });
  return withSettings(executor, wanted, async () => {
    const [{ path }] = await rows<{ path: string }>(executor, `SELECT ${CURRENT_PATH} AS path`);
    if (path !== pathTo(schemaName, behind)) throw new TransactionRequiredError(schemaName);
    return work();
  });
}

/**
 * Like `withSearchPath`, to read a schema that is there, with a `reader` for its catalog rows. Throws
 * `SchemaNotFoundError`, `TransactionRequiredError`.
 */
export function inSchema<T>(
  executor: SqlExecutor,
  schemaName: string,
  work: (schema: CatalogSchema, reader: SqlExecutor) => Promise<T>,
  behind: readonly string[] = [],
): Promise<T> {
  return withSettings(executor, settingsIn(NO_SCHEMA, READER_SETTINGS), async () => {
    // "$user" means another schema on a search path.
    const [{ path, oid, catalogs }] = await rows<{ path: string; oid: number | null; catalogs: string[] }>(
      executor,
      `SELECT ${CURRENT_PATH} AS path, n.oid, ${catalogsInUse('ARRAY[n.oid]')} AS catalogs
       FROM (SELECT) AS one LEFT JOIN pg_namespace n
         ON nspname = $1 AND nspname <> '$user' AND has_schema_privilege(n.oid, 'USAGE')`,
      [schemaName],
    );
    requireSearchPath(path, NO_SCHEMA, schemaName);
    if (oid === null) throw new SchemaNotFoundError(schemaName);
    return work(
      { oid, name: schemaName, catalogs: new Set(catalogs) },
      readerOf(executor, schemaName, behind),
    );
  });
}

/**
 * Runs queries for the objects `$1::oid[]`. A schema may have functions and operators of the names that they use, some of
 * which would fit better: so each query is understood with PostgreSQL's own schema alone on the path, and puts the schema
 * there itself, alone, before it prints the first row that it has found: its objects print bare and all others qualified.
 * A query for other things runs with the schema and those `behind` it on the path, and must say `pg_catalog.` itself.
 */
function readerOf(executor: SqlExecutor, schemaName: string, behind: readonly string[]): SqlExecutor {
  const setPath = (path: string) => executor.query(`SET LOCAL search_path = ${path}`);
  return {
    query: async (sql: string, values: unknown[] = []): Promise<unknown> => {
      if (!sql.includes(OF_OBJECTS)) {
        await setPath(pathTo(schemaName, behind));
        return executor.query(sql, values);
      }
      await setPath(pathTo(NO_SCHEMA));
      const here =
        `here AS MATERIALIZED (SELECT ${OF_OBJECTS} AS oids, ` +
        `set_config('search_path', $${values.length + 1}, true) AS path)`;
      const query = sql.replaceAll(OF_OBJECTS, '(SELECT oids FROM here)::oid[]').replace(/^\s*WITH /, ', ');
      return executor.query(`WITH ${here} ${query}`, [...values, pathTo(schemaName)]);
    },
  };
}

/** How queries for a reader refer to the objects that they are about. */
const OF_OBJECTS = '$1::oid[]';

/** Runs `work` with PostgreSQL's own schema alone on the path, so that a user's functions and operators mean nothing. */
export function besideAll<T>(executor: SqlExecutor, work: () => Promise<T>): Promise<T> {
  return withSettings(executor, new Map([['search_path', pathTo(NO_SCHEMA)]]), work);
}

/**
 * The same for several schemas at once, with none of them on the search path. Those that are not there are left out.
 * Throws `TransactionRequiredError`.
 */
export function besideSchemas<T>(
  executor: SqlExecutor,
  schemaNames: readonly string[],
  work: (schemas: { readonly oids: number[]; readonly catalogs: ReadonlySet<string> }) => Promise<T>,
): Promise<T> {
  return withSettings(executor, settingsIn(NO_SCHEMA, READER_SETTINGS), async () => {
    const oidsOf = 'ARRAY(SELECT oid FROM pg_namespace WHERE nspname = ANY ($1::text[]))';
    const [{ path, oids, catalogs }] = await rows<{ path: string; oids: number[]; catalogs: string[] }>(
      executor,
      `SELECT ${CURRENT_PATH} AS path, ${oidsOf} AS oids, ${catalogsInUse(oidsOf)} AS catalogs`,
      [schemaNames],
    );
    requireSearchPath(path, NO_SCHEMA);
    return work({ oids, catalogs: new Set(catalogs) });
  });
}

const NO_SCHEMA = 'pg_catalog';
const CURRENT_PATH = `pg_catalog.current_setting('search_path')`;

const pathTo = (schemaName: string, behind: readonly string[] = []): string =>
  `${[schemaName, ...behind].map(quoteIdentifier).join(', ')}, pg_temp`;

function settingsIn(
  schemaName: string,
  others: Readonly<Record<string, string>>,
): ReadonlyMap<string, string> {
  return new Map(Object.entries({ ...PRINTING_SETTINGS, search_path: pathTo(schemaName), ...others }));
}

/** Without a transaction, or with a pool that takes another connection each time, the setting is gone already. */
function requireSearchPath(path: string, schemaName: string, forSchema = schemaName): void {
  if (path !== pathTo(schemaName)) throw new TransactionRequiredError(forSchema);
}

async function withSettings<T>(
  executor: SqlExecutor,
  wanted: ReadonlyMap<string, string>,
  work: () => Promise<T>,
): Promise<T> {
  const before = await setLocally(executor, wanted);
  let result: T;
  try {
    result = await work();
  } catch (error) {
    // A transaction that SQL has aborted refuses this too, and its rollback restores everything.
    await setLocally(executor, before).catch(() => undefined);
    throw error;
  }
  await setLocally(executor, before);
  return result;
}

/** Gives what they were before: PostgreSQL computes the columns of a row from left to right. */
async function setLocally(
  executor: SqlExecutor,
  settings: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, string>> {
  const found = await rows<{ name: string; before: string }>(
    executor,
    `SELECT name, pg_catalog.current_setting(name) AS before, pg_catalog.set_config(name, value, true)
     FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]))
       AS setting (name, value)`,
    [[...settings.keys()], [...settings.values()]],
  );
  return new Map(found.map(({ name, before }) => [name, before]));
}
