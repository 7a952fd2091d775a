import { type SqlExecutor, quoteIdentifier } from '../common/sql';
import { catalogsInUse } from './catalogs-in-use';
import { SchemaNotFoundError, TransactionRequiredError } from './schema.errors';

/** A schema as `pg_namespace` knows it. */
export interface CatalogSchema {
  readonly oid: number;
  readonly name: string;
  /** The catalogs in which it may have objects: see `neededFor`. */
  readonly catalogs: ReadonlySet<string>;
}

/**
 * The parameters that decide how PostgreSQL prints an object. They have the values that pg_dump gives them, so that a
 * constant prints the same in every session and reads back as the same value.
 */
const PRINTING_PARAMETERS: Readonly<Record<string, string>> = {
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

/**
 * With this, PostgreSQL refuses a query when a policy hides rows. Else a hidden row would look like one that does not
 * exist.
 */
export const READING_PARAMETERS: Readonly<Record<string, string>> = { row_security: 'off' };

/**
 * These make the planner use the catalogs' indexes. It cannot know that only a few oids follow, and would read pg_class
 * or pg_depend whole, which grow with the number of tenants.
 */
export const PLANNER_PARAMETERS: Readonly<Record<string, string>> = {
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  jit: 'off',
  max_parallel_workers_per_gather: '0',
};

const READER_PARAMETERS = { ...PLANNER_PARAMETERS, ...READING_PARAMETERS };

export async function rows<Row>(executor: SqlExecutor, sql: string, values?: unknown[]): Promise<Row[]> {
  return (await executor.query(sql, values)) as Row[];
}

/**
 * Runs `work` with a search path of the schema and of those `behind` it, then restores the transaction's parameters.
 * `parameters` are set beside the usual ones.
 *
 * `pg_temp` is named last. Unnamed it would come first, and a temporary table would hide the schema's own.
 *
 * @throws TransactionRequiredError when no transaction is open
 */
export function withSearchPath<T>(
  executor: SqlExecutor,
  schemaName: string,
  work: () => Promise<T>,
  parameters: Readonly<Record<string, string>> = {},
  behind: readonly string[] = [],
): Promise<T> {
  const wanted = parametersIn(schemaName, { ...parameters, search_path: pathTo(schemaName, behind) });
  return withParameters(executor, wanted, async () => {
    const [{ path }] = await rows<{ path: string }>(executor, `SELECT ${CURRENT_PATH} AS path`);
    if (path !== pathTo(schemaName, behind)) throw new TransactionRequiredError(schemaName);
    return work();
  });
}

/**
 * Like `withSearchPath`, for reading an existing schema. `work` gets a `reader` for its catalog rows.
 *
 * @throws SchemaNotFoundError when the schema does not exist, or the current user may not use it
 * @throws TransactionRequiredError when no transaction is open
 */
export function inSchema<T>(
  executor: SqlExecutor,
  schemaName: string,
  work: (schema: CatalogSchema, reader: SqlExecutor) => Promise<T>,
  behind: readonly string[] = [],
): Promise<T> {
  return withParameters(executor, parametersIn(NO_SCHEMA, READER_PARAMETERS), async () => {
    // On a search path, "$user" stands for the schema that has the user's name.
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
 * Runs queries for the objects `$1::oid[]`. The schema may have functions and operators with the names that these
 * queries use, and PostgreSQL might prefer them. So a query is parsed with only PostgreSQL's own schema on the search
 * path. Before its first row is printed, the query itself puts the schema, and nothing else, on the path: the schema's
 * objects then print bare and all others qualified.
 *
 * Queries that are not for `$1::oid[]` run with the schema and those `behind` it on the path, and must write
 * `pg_catalog.` themselves.
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

/** How queries for a reader refer to their objects. */
const OF_OBJECTS = '$1::oid[]';

/**
 * Runs `work` with only PostgreSQL's own schema on the search path, so that no function or operator of a user is taken.
 */
export function besideAll<T>(executor: SqlExecutor, work: () => Promise<T>): Promise<T> {
  return withParameters(executor, new Map([['search_path', pathTo(NO_SCHEMA)]]), work);
}

/**
 * Like `inSchema` for several schemas at once, with none of them on the search path. Schemas that do not exist are left
 * out.
 *
 * @throws TransactionRequiredError when no transaction is open
 */
export function besideSchemas<T>(
  executor: SqlExecutor,
  schemaNames: readonly string[],
  work: (schemas: { readonly oids: number[]; readonly catalogs: ReadonlySet<string> }) => Promise<T>,
): Promise<T> {
  return withParameters(executor, parametersIn(NO_SCHEMA, READER_PARAMETERS), async () => {
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

function parametersIn(
  schemaName: string,
  others: Readonly<Record<string, string>>,
): ReadonlyMap<string, string> {
  return new Map(Object.entries({ ...PRINTING_PARAMETERS, search_path: pathTo(schemaName), ...others }));
}

/**
 * Without a transaction, or with a pool that takes another connection for each query, the path is already back to its
 * old value.
 */
function requireSearchPath(path: string, schemaName: string, forSchema = schemaName): void {
  if (path !== pathTo(schemaName)) throw new TransactionRequiredError(forSchema);
}

async function withParameters<T>(
  executor: SqlExecutor,
  wanted: ReadonlyMap<string, string>,
  work: () => Promise<T>,
): Promise<T> {
  const before = await setLocally(executor, wanted);
  let result: T;
  try {
    result = await work();
  } catch (error) {
    // In an aborted transaction this fails too. The rollback then restores everything.
    await setLocally(executor, before).catch(() => undefined);
    throw error;
  }
  await setLocally(executor, before);
  return result;
}

/** Returns the values from before: PostgreSQL computes the columns of a row from left to right. */
async function setLocally(
  executor: SqlExecutor,
  parameters: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, string>> {
  const found = await rows<{ name: string; before: string }>(
    executor,
    `SELECT name, pg_catalog.current_setting(name) AS before, pg_catalog.set_config(name, value, true)
     FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]))
      AS parameter (name, value)`,
    [[...parameters.keys()], [...parameters.values()]],
  );
  return new Map(found.map(({ name, before }) => [name, before]));
}
