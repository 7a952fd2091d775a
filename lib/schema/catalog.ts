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
 * Runs `work` with the schema alone on the search path, so that its objects print bare and all others qualified, then
 * puts the transaction's settings back. `settings` are set beside the usual ones. Throws `TransactionRequiredError`.
 *
 * `pg_temp` is named last, because unnamed it would come first, and a temporary table would hide the schema's own.
 */
export function withSearchPath<T>(
  executor: SqlExecutor,
  schemaName: string,
  work: () => Promise<T>,
  settings: Readonly<Record<string, string>> = {},
): Promise<T> {
  return withSettings(executor, settingsIn(schemaName, settings), async () => {
    const [{ path }] = await rows<{ path: string }>(executor, `SELECT ${CURRENT_PATH} AS path`);
    requireSearchPath(path, schemaName);
    return work();
  });
}

/** Like `withSearchPath`, to read a schema that is there. Throws `SchemaNotFoundError`, `TransactionRequiredError`. */
export function inSchema<T>(
  executor: SqlExecutor,
  schemaName: string,
  work: (schema: CatalogSchema) => Promise<T>,
): Promise<T> {
  return withSettings(executor, settingsIn(schemaName, READER_SETTINGS), async () => {
    // Not the current schema: missing, without USAGE, or "$user", which means another one on a search path.
    const [{ path, oid, catalogs }] = await rows<{ path: string; oid: number | null; catalogs: string[] }>(
      executor,
      `SELECT ${CURRENT_PATH} AS path, n.oid, ${catalogsInUse('ARRAY[n.oid]')} AS catalogs
       FROM (SELECT) AS one LEFT JOIN pg_namespace n ON nspname = $1 AND nspname = current_schema()`,
      [schemaName],
    );
    requireSearchPath(path, schemaName);
    if (oid === null) throw new SchemaNotFoundError(schemaName);
    return work({ oid, name: schemaName, catalogs: new Set(catalogs) });
  });
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
const CURRENT_PATH = `current_setting('search_path')`;

const pathTo = (schemaName: string): string => `${quoteIdentifier(schemaName)}, pg_temp`;

function settingsIn(
  schemaName: string,
  others: Readonly<Record<string, string>>,
): ReadonlyMap<string, string> {
  return new Map(Object.entries({ ...PRINTING_SETTINGS, ...others, search_path: pathTo(schemaName) }));
}

/** Without a transaction, or with a pool that takes another connection each time, the setting is gone already. */
function requireSearchPath(path: string, schemaName: string): void {
  if (path !== pathTo(schemaName)) throw new TransactionRequiredError(schemaName);
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
    `SELECT name, current_setting(name) AS before, set_config(name, value, true)
     FROM unnest($1::text[], $2::text[]) AS setting (name, value)`,
    [[...settings.keys()], [...settings.values()]],
  );
  return new Map(found.map(({ name, before }) => [name, before]));
}
