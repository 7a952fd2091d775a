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

export async function rows<Row>(executor: SqlExecutor, sql: string, values?: unknown[]): Promise<Row[]> {
  return (await executor.query(sql, values)) as Row[];
}

/**
 * Runs `work` with the schema alone on the search path, so that its objects print bare and all others qualified, then
 * puts the transaction's settings back. `settings` are set beside the usual ones. Throws `TransactionRequiredError`.
 *
 * `pg_temp` is named last, because unnamed it would come first, and a temporary table would hide the schema's own.
 */
export async function withSearchPath<T>(
  executor: SqlExecutor,
  schemaName: string,
  work: () => Promise<T>,
  settings: Readonly<Record<string, string>> = {},
): Promise<T> {
  const path = `${quoteIdentifier(schemaName)}, pg_temp`;
  const wanted = new Map(Object.entries({ ...PRINTING_SETTINGS, ...settings, search_path: path }));
  const before = await rows<{ name: string; value: string }>(
    executor,
    'SELECT name, current_setting(name) AS value FROM unnest($1::text[]) AS name',
    [[...wanted.keys()]],
  );
  await setLocally(executor, wanted);
  let result: T;
  try {
    await requireSearchPath(executor, schemaName, path);
    result = await work();
  } catch (error) {
    // A transaction that SQL has aborted refuses this too, and its rollback restores everything.
    await setLocally(executor, new Map(before.map(({ name, value }) => [name, value]))).catch(
      () => undefined,
    );
    throw error;
  }
  await setLocally(executor, new Map(before.map(({ name, value }) => [name, value])));
  return result;
}

/** Without a transaction, or with a pool that takes another connection each time, the setting is gone already. */
async function requireSearchPath(executor: SqlExecutor, schemaName: string, path: string): Promise<void> {
  const [{ value }] = await rows<{ value: string }>(
    executor,
    `SELECT current_setting('search_path') AS value`,
  );
  if (value !== path) throw new TransactionRequiredError(schemaName);
}

/** Like `withSearchPath`, to read a schema that is there. Throws `SchemaNotFoundError`, `TransactionRequiredError`. */
export function inSchema<T>(
  executor: SqlExecutor,
  schemaName: string,
  work: (schema: CatalogSchema) => Promise<T>,
): Promise<T> {
  const read = async () => {
    // Not the current schema: missing, without USAGE, or "$user", which means another one on a search path.
    const [schema] = await rows<{ oid: number; catalogs: string[] }>(
      executor,
      `SELECT n.oid, ${catalogsInUse('ARRAY[n.oid]')} AS catalogs
       FROM pg_namespace n WHERE nspname = $1 AND nspname = current_schema()`,
      [schemaName],
    );
    if (!schema) throw new SchemaNotFoundError(schemaName);
    return work({ oid: schema.oid, name: schemaName, catalogs: new Set(schema.catalogs) });
  };
  return withSearchPath(executor, schemaName, read, { ...PLANNER_SETTINGS, ...READING_SETTINGS });
}

async function setLocally(executor: SqlExecutor, settings: ReadonlyMap<string, string>): Promise<void> {
  await executor.query(
    'SELECT set_config(name, value, true) FROM unnest($1::text[], $2::text[]) AS setting (name, value)',
    [[...settings.keys()], [...settings.values()]],
  );
}
