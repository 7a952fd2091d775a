import type { SqlExecutor } from '../common/sql';
import { besideSchemas, rows } from './catalog';
import { ROW_CATALOGS } from './catalog-columns';
import { neededFor } from './catalogs-in-use';
import { hasOwnName } from './own-name';
import { STRUCTURE, type StructureLine } from './structure';
import { withoutJson } from './structure-sql';

/** The texts of the queries that tell hashes, on one server: its catalogs have columns of their own. */
export interface HashQuery {
  /** Of whole schemas. */
  readonly schemas: string;
  /** Of each line of one schema. */
  readonly lines: string;
  /** Objects whose lines have the schema's name in them, which each schema has another of. */
  readonly naming: readonly string[];
}

/**
 * Planned once for any number of schemas, which costs as much as to run it for one of them. Names print bare or
 * qualified by the path at the moment they are printed, so each schema's turn begins with its path; `OFFSET 0` keeps
 * the planner from taking that step apart.
 */
const inTurn = (work: string) => `
  FROM pg_catalog.unnest($1::text[]) AS wanted (name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.name
  CROSS JOIN LATERAL (
    SELECT n.oid, wanted.name,
           set_config('search_path', quote_ident(wanted.name) || ', pg_temp', true) AS path OFFSET 0
  ) here
  CROSS JOIN LATERAL (${work}) hash`;

/** Names in lines are quoted as in a row that is printed. */
const hashedLines = (lines: string, naming: string) => `
    SELECT line.object, hashtextextended(concat(line.object, E'\n',
             CASE WHEN line.object = ANY (${naming}::text[])
                  THEN replace(line.properties, replace(quote_ident(here.name), '"', '""') || '.', '(own).')
                  ELSE line.properties END), 0) AS value
    FROM (${lines.replaceAll('$1::oid[]', 'ARRAY[here.oid]')}) AS line (object, properties)`;

/** `$2`: what to take instead of a line's hash, if anything. `$3`: objects that name the schema. */
const sumOf = (lines: string) => `
    SELECT concat(count(*), ':', sum(coalesce(($2::jsonb ->> line.value::text)::numeric, line.value))) AS value
    FROM (${hashedLines(lines, '$3')}) AS line`;

export async function readHashQuery(executor: SqlExecutor): Promise<HashQuery> {
  const found = await rows<{ catalog: string; columns: string[] }>(
    executor,
    `SELECT c.relname AS catalog, pg_catalog.array_agg(a.attname::text ORDER BY a.attnum) AS columns
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace AND c.relname = ANY ($1::text[]) GROUP BY c.relname`,
    [ROW_CATALOGS],
  );
  const columns = new Map(found.map((each) => [each.catalog, each.columns]));
  const lines = withoutJson(STRUCTURE, (catalog) => columns.get(catalog) ?? []);
  return {
    schemas: `SELECT here.name, hash.value AS hash ${inTurn(sumOf(lines))}`,
    lines: `SELECT hash.object, hash.value::text AS hash ${inTurn(hashedLines(lines, '$2'))}`,
    naming: [],
  };
}

/** The query for schemas that should be like one of these lines. */
export function hashQueryFor(query: HashQuery, lines: readonly StructureLine[]): HashQuery {
  const naming = lines.filter(({ properties }) => hasOwnName(properties)).map(({ object }) => object);
  return { ...query, naming };
}

/** See `Prints`. */
type PrintHashes = Readonly<Record<string, string>>;

/**
 * A hash of each schema's structure, by its name; a schema that is not there has none. Equal for schemas that
 * `fingerprintSchema` takes for equal, or that print alike at last by `prints`, made in PostgreSQL without a line leaving it: good for telling at the same
 * server and at the same time who differs, and for nothing that is kept. Needs a transaction of the caller's; settings
 * are put back.
 *
 * @throws TransactionRequiredError
 */
export async function hashStructures(
  executor: SqlExecutor,
  query: HashQuery,
  schemaNames: readonly string[],
  prints: PrintHashes = {},
): Promise<Map<string, string>> {
  return besideSchemas(executor, schemaNames, ({ catalogs }) =>
    readHashes(executor, catalogs, query, schemaNames, prints),
  );
}

/** The same within `besideSchemas`. */
export async function readHashes(
  executor: SqlExecutor,
  catalogs: ReadonlySet<string>,
  query: HashQuery,
  schemaNames: readonly string[],
  prints: PrintHashes = {},
): Promise<Map<string, string>> {
  const hashes = await rows<{ name: string; hash: string }>(executor, neededFor(catalogs, query.schemas), [
    schemaNames,
    JSON.stringify(prints),
    query.naming,
  ]);
  return new Map(hashes.map(({ name, hash }) => [name, hash]));
}

/** The hash of each line of a schema, several of which may be of one object. @throws TransactionRequiredError */
export async function readLineHashes(
  executor: SqlExecutor,
  query: HashQuery,
  schemaName: string,
): Promise<{ object: string; hash: string }[]> {
  return besideSchemas(executor, [schemaName], ({ catalogs }) =>
    rows(executor, neededFor(catalogs, query.lines), [[schemaName], query.naming]),
  );
}
