import type { SqlExecutor } from '../common/sql';
import { besideSchemas, rows } from './catalog';
import { ROW_CATALOGS } from './catalog-columns';
import { neededFor } from './catalogs-in-use';
import { STRUCTURE } from './structure';
import { withoutJson } from './structure-sql';

/**
 * Planned once for any number of schemas, which costs as much as to run it for one of them. Names print bare or
 * qualified by the path at the moment they are printed, so each schema's turn begins with its path; `OFFSET 0` keeps
 * the planner from taking that step apart.
 */
const hashesOf = (lines: string) => `
  SELECT here.name, hash.value AS hash
  FROM pg_catalog.unnest($1::text[]) AS wanted (name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.name
  CROSS JOIN LATERAL (
    SELECT n.oid, wanted.name,
           set_config('search_path', quote_ident(wanted.name) || ', pg_temp', true) AS path OFFSET 0
  ) here
  CROSS JOIN LATERAL (
    SELECT concat(count(*), ':', sum(hashtextextended(concat(line.object, E'\n', line.properties), 0))) AS value
    FROM (${lines.replaceAll('$1::oid[]', 'ARRAY[here.oid]')}) AS line (object, properties)
  ) hash`;

/** The text of the query that tells hashes, on one server: its catalogs have columns of their own. */
export async function readHashQuery(executor: SqlExecutor): Promise<string> {
  const found = await rows<{ catalog: string; columns: string[] }>(
    executor,
    `SELECT c.relname AS catalog, pg_catalog.array_agg(a.attname::text ORDER BY a.attnum) AS columns
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace AND c.relname = ANY ($1::text[]) GROUP BY c.relname`,
    [ROW_CATALOGS],
  );
  const columns = new Map(found.map((each) => [each.catalog, each.columns]));
  return hashesOf(withoutJson(STRUCTURE, (catalog) => columns.get(catalog) ?? []));
}

/**
 * A hash of each schema's structure, by its name; a schema that is not there has none. Equal for schemas that
 * `fingerprintSchema` takes for equal, made in PostgreSQL without a line leaving it: good for telling at the same
 * server and at the same time who differs, and for nothing that is kept. Needs a transaction of the caller's; settings
 * are put back.
 *
 * @throws TransactionRequiredError
 */
export async function hashStructures(
  executor: SqlExecutor,
  query: string,
  schemaNames: readonly string[],
): Promise<Map<string, string>> {
  return besideSchemas(executor, schemaNames, ({ catalogs }) =>
    readHashes(executor, catalogs, query, schemaNames),
  );
}

/** The same within `besideSchemas`. */
export async function readHashes(
  executor: SqlExecutor,
  catalogs: ReadonlySet<string>,
  query: string,
  schemaNames: readonly string[],
): Promise<Map<string, string>> {
  const hashes = await rows<{ name: string; hash: string }>(executor, neededFor(catalogs, query), [
    schemaNames,
  ]);
  return new Map(hashes.map(({ name, hash }) => [name, hash]));
}
