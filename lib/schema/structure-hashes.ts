import type { SqlExecutor } from '../common/sql';
import { besideSchemas, rows } from './catalog';
import { ROW_CATALOGS } from './catalog-columns';
import { neededFor } from './catalogs-in-use';
import { hasOwnName } from './own-name';
import { STRUCTURE, type StructureLine } from './structure';
import { withoutJson } from './structure-sql';

/**
 * The queries that return hashes. They are made for one server, because the columns of the catalogs depend on its
 * version.
 */
export interface HashQuery {
  /** For whole schemas. */
  readonly schemas: string;
  /** For each line of one schema. */
  readonly lines: string;
  /** Objects whose lines contain the schema's name, which differs from schema to schema. */
  readonly naming: readonly string[];
}

/**
 * The query is planned once for any number of schemas, because planning costs as much as running it for one of them.
 * Whether a name prints bare or qualified depends on the search path at that moment, so each schema's turn begins by
 * setting its path. `OFFSET 0` keeps the planner from merging that step into others.
 */
const inTurn = (work: string) => `
  FROM pg_catalog.unnest($1::text[]) AS wanted (name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.name
  CROSS JOIN LATERAL (
    SELECT n.oid, wanted.name,
           set_config('search_path', quote_ident(wanted.name) || ', pg_temp', true) AS path OFFSET 0
  ) here
  CROSS JOIN LATERAL (${work}) hash`;

/** Names in these lines are quoted as in a row that is printed. */
const hashedLines = (lines: string, naming: string) => `
    SELECT line.object, hashtextextended(concat(line.object, E'\n',
             CASE WHEN line.object = ANY (${naming}::text[])
                  THEN replace(line.properties, replace(quote_ident(here.name), '"', '""') || '.', '(own).')
                  ELSE line.properties END), 0) AS value
    FROM (${lines.replaceAll('$1::oid[]', 'ARRAY[here.oid]')}) AS line (object, properties)`;

/** `$2`: replacements for the hashes of lines. `$3`: the objects whose lines name the schema. */
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

/** The query for schemas that should equal the one with these lines. */
export function hashQueryFor(query: HashQuery, lines: readonly StructureLine[]): HashQuery {
  const naming = lines.filter(({ properties }) => hasOwnName(properties)).map(({ object }) => object);
  return { ...query, naming };
}

/** See `Prints`. */
type PrintHashes = Readonly<Record<string, string>>;

/**
 * A hash of each schema's structure, by the schema's name; a schema that does not exist has none. Two schemas have the
 * same hash if `fingerprintSchema` takes them for equal, or if their later prints are equal by `prints`. PostgreSQL
 * computes it without sending a line. It only compares schemas on one server at one time, so do not store it. Call it
 * in a transaction; the session's parameters are restored.
 *
 * @throws TransactionRequiredError when no transaction is open
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

/** Like `hashStructures`, for callers within `besideSchemas`. */
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

/**
 * The hash of each line of a schema. One object may have several lines.
 *
 * @throws TransactionRequiredError when no transaction is open
 */
export async function readLineHashes(
  executor: SqlExecutor,
  query: HashQuery,
  schemaName: string,
): Promise<{ object: string; hash: string }[]> {
  return besideSchemas(executor, [schemaName], ({ catalogs }) =>
    rows(executor, neededFor(catalogs, query.lines), [[schemaName], query.naming]),
  );
}
