import { quoteIdentifier, type SqlExecutor } from '../common/sql';
import type { Blueprint } from '../schema/blueprint';
import { UnknownTableError } from './provisioning.errors';

/** By table and column, an SQL expression over the columns of the same row; `null` stands for NULL. */
export type Mask = Readonly<Record<string, Readonly<Record<string, string | null>>>>;

/** Its rows are structure, and in the blueprint. */
export const TYPEORM_METADATA = 'typeorm_metadata';

export interface TableColumns {
  readonly name: string;
  /** Those that can be written: generated ones are computed again. */
  readonly columns: string[];
}

/**
 * The blueprint with the rows of `tables`, or of all tables, copied from the schema that it was compiled from. They
 * come before foreign keys and triggers, so their order does not matter and no trigger fires; identity columns keep
 * their values, and the sequences' positions are in the blueprint.
 *
 * @throws UnknownTableError for a table or a masked column that is not there
 */
export async function withRows(
  executor: SqlExecutor,
  blueprint: Blueprint,
  tables: readonly string[] | 'all',
  mask: Mask = {},
): Promise<Blueprint> {
  const known = await readColumns(executor, blueprint.schemaName);
  refuseUnknown(blueprint.schemaName, known, tables, mask);
  const copies = known
    .filter(({ name }) => (tables === 'all' ? name !== TYPEORM_METADATA : tables.includes(name)))
    .map((table) => copyStatement(blueprint.schemaName, table, ownEntry(mask, table.name) ?? {}));
  const { statements, rowsAt } = blueprint;
  return {
    ...blueprint,
    statements: [...statements.slice(0, rowsAt), ...copies, ...statements.slice(rowsAt)],
  };
}

function copyStatement(
  schemaName: string,
  { name, columns }: TableColumns,
  mask: Readonly<Record<string, string | null>>,
): string {
  const table = quoteIdentifier(name);
  const source = `${quoteIdentifier(schemaName)}.${table}`;
  const values = columns.map((column) => {
    const expression = ownEntry(mask, column);
    if (expression === undefined) return quoteIdentifier(column);
    return expression === null ? 'NULL' : `(${expression}\n)`;
  });
  // A table without columns has rows all the same.
  if (columns.length === 0) return `INSERT INTO ${table} SELECT FROM ONLY ${source}`;
  return (
    `INSERT INTO ${table} (${columns.map(quoteIdentifier).join(', ')}) OVERRIDING SYSTEM VALUE ` +
    `SELECT ${values.join(', ')} FROM ONLY ${source}`
  );
}

/** Partitions are tables of their own; what they are parts of has no rows itself. */
export async function readColumns(executor: SqlExecutor, schemaName: string): Promise<TableColumns[]> {
  return (await executor.query(
    `SELECT c.relname AS name, ARRAY(
       SELECT a.attname::text FROM pg_catalog.pg_attribute a
       WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
       ORDER BY a.attnum) AS columns
     FROM pg_catalog.pg_namespace n
     JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid = n.oid
       AND d.classid = 'pg_catalog.pg_class'::regclass
     JOIN pg_catalog.pg_class c ON c.oid = d.objid
     WHERE n.nspname = $1 AND c.relkind = 'r' ORDER BY c.relname`,
    [schemaName],
  )) as TableColumns[];
}

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

/** Tables and columns have names such as `constructor`, too. */
function ownEntry<Value>(entries: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(entries, name) ? entries[name] : undefined;
}
