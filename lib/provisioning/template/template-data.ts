import { quoteIdentifier, type SqlExecutor } from '../../common/sql';
import type { Blueprint } from '../../schema/blueprint';
import { besideAll } from '../../schema/catalog';
import { UnknownTableError } from '../provisioning-start.errors';

/** By table and column, an SQL expression over the columns of the same row; `null` for NULL. */
export type Mask = Readonly<Record<string, Readonly<Record<string, string | null>>>>;

/** Its rows are structure, and are part of the blueprint. */
export const TYPEORM_METADATA = 'typeorm_metadata';

export interface TableColumns {
  readonly name: string;
  /** The columns that can be written. Generated ones are computed again. */
  readonly columns: string[];
}

interface SourceTable extends TableColumns {
  /**
   * For columns whose type belongs to the schema, the name of that type, because a clone has a type of its own with
   * that name.
   */
  readonly ownTypes: Readonly<Record<string, string>>;
}

/**
 * The blueprint with the rows of `tables`, or of all tables, copied from the schema that it was compiled from. They are
 * copied before foreign keys and triggers exist, so their order does not matter and no trigger fires. Identity columns
 * keep their values; statements of the blueprint set the sequences' positions later.
 *
 * @throws UnknownTableError for a table or a masked column that does not exist
 */
export async function withRows(
  executor: SqlExecutor,
  blueprint: Blueprint,
  tables: readonly string[] | 'all',
  mask: Mask = {},
): Promise<Blueprint> {
  const known = await besideAll(executor, () => readSourceTables(executor, blueprint.schemaName));
  refuseUnknown(blueprint.schemaName, known, tables, mask);
  const copies = known
    .filter(({ name }) => (tables === 'all' ? name !== TYPEORM_METADATA : tables.includes(name)))
    .map((table) => copyStatement(blueprint.schemaName, table, ownEntry(mask, table.name) ?? {}));
  const { statements, rowsAt } = blueprint;
  return {
    ...blueprint,
    statements: [...statements.slice(0, rowsAt), ...copies, ...statements.slice(rowsAt)],
    copies: copies.length,
  };
}

function copyStatement(
  schemaName: string,
  { name, columns, ownTypes }: SourceTable,
  mask: Readonly<Record<string, string | null>>,
): string {
  const table = quoteIdentifier(name);
  const source = `${quoteIdentifier(schemaName)}.${table}`;
  const values = columns.map((column) => {
    const expression = ownEntry(mask, column);
    if (expression === null) return 'NULL';
    const value = expression === undefined ? quoteIdentifier(column) : `(${expression}\n)`;
    const type = ownEntry(ownTypes, column);
    // Between two types of one name PostgreSQL converts only by their texts, whether they are enums, composites, ranges
    // or arrays.
    return type === undefined ? value : `${value}::pg_catalog.text::${type}`;
  });
  // A table without columns can still have rows.
  if (columns.length === 0) return `INSERT INTO ${table} SELECT FROM ONLY ${source}`;
  return (
    `INSERT INTO ${table} (${columns.map(quoteIdentifier).join(', ')}) OVERRIDING SYSTEM VALUE ` +
    `SELECT ${values.join(', ')} FROM ONLY ${source}`
  );
}

/** Partitions are listed as tables of their own; a partitioned table has no rows itself. */
export async function readDataColumns(executor: SqlExecutor, schemaName: string): Promise<TableColumns[]> {
  const tables = await readSourceTables(executor, schemaName);
  return tables.map(({ name, columns }) => ({ name, columns }));
}

async function readSourceTables(executor: SqlExecutor, schemaName: string): Promise<SourceTable[]> {
  return (await executor.query(
    `SELECT c.relname AS name,
       ARRAY(SELECT a.attname::text ${COLUMNS} ORDER BY a.attnum) AS columns,
       (SELECT coalesce(pg_catalog.json_object_agg(a.attname, pg_catalog.quote_ident(coalesce(e.typname, t.typname))
                 || CASE WHEN e.oid IS NULL THEN '' ELSE '[]' END), '{}')
        ${COLUMNS} AND t.typnamespace = n.oid) AS "ownTypes"
     FROM pg_catalog.pg_namespace n
     JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid = n.oid
       AND d.classid = 'pg_catalog.pg_class'::regclass
     JOIN pg_catalog.pg_class c ON c.oid = d.objid
     WHERE n.nspname = $1 AND c.relkind = 'r' ORDER BY c.relname`,
    [schemaName],
  )) as SourceTable[];
}

/** The columns of a table that can be written. The type of an array is recognized by the type of its elements. */
const COLUMNS = `
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_type e ON t.typcategory = 'A' AND t.typtype = 'b' AND e.oid = t.typelem
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''`;

function refuseUnknown(
  schemaName: string,
  known: readonly TableColumns[],
  tables: readonly string[] | 'all',
  mask: Mask,
): void {
  const columnsOf = new Map(known.map(({ name, columns }) => [name, columns]));
  const unknown = [
    ...(tables === 'all' ? [] : tables.filter((name) => !columnsOf.has(name))),
    ...Object.entries(mask).flatMap(([table, columns]) =>
      Object.keys(columns)
        .filter((column) => !columnsOf.get(table)?.includes(column))
        .map((column) => `${table}.${column}`),
    ),
    ...Object.keys(mask).filter((table) => !columnsOf.has(table)),
  ];
  if (unknown.length > 0) throw new UnknownTableError(schemaName, unknown);
}

/** Only own properties, because tables and columns may have names such as `constructor`. */
function ownEntry<Value>(entries: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(entries, name) ? entries[name] : undefined;
}
