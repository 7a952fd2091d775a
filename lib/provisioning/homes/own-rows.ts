import type { SqlExecutor } from '../../common/sql';
import { TYPEORM_METADATA } from '../template/template-data';

/** SQLSTATE of a table that may not be read, because a policy would hide rows or another role owns it. */
const INSUFFICIENT_PRIVILEGE = '42501';
/** SQLSTATE lock_not_available. */
const LOCK_NOT_AVAILABLE = '55P03';

/** Short, because the sweep will come again and others wait behind its locks. */
const LOCK_TIMEOUT_MS = 2_000;

/** The schema and the tables from which tenants' schemas are cloned. */
export interface Origin {
  readonly templateSchema: string;
  /** Tables whose rows are copied into each clone. */
  readonly templateData: readonly string[];
}

interface Table {
  /** Quoted and qualified, like the other names. */
  readonly name: string;
  /** The template's table whose rows were copied into this one. */
  readonly source: string | null;
}

/**
 * Whether a schema has rows that were not cloned with it. Its tables are locked first, so nobody can write a row until
 * the caller's transaction ends. Rows that a policy would hide count as such rows, because they lead to an error.
 *
 * After an error the transaction cannot be used any more; `explainOwnRows` tells what the error means.
 */
export async function hasOwnRows(
  transaction: SqlExecutor,
  schemaName: string,
  { templateSchema, templateData }: Origin,
): Promise<boolean> {
  await transaction.query(`SET LOCAL row_security = off; SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
  const tables = (await transaction.query(
    `SELECT pg_catalog.format('%I.%I', t.schemaname, t.tablename) AS name,
            CASE WHEN t.tablename = ANY ($4::text[]) THEN pg_catalog.format('%I.%I', s.schemaname, s.tablename) END AS source
     FROM pg_catalog.pg_tables t
     LEFT JOIN pg_catalog.pg_tables s ON s.schemaname = $3 AND s.tablename = t.tablename
     WHERE t.schemaname = $1 AND t.tablename <> $2 ORDER BY 1`,
    [schemaName, TYPEORM_METADATA, templateSchema, templateData],
  )) as Table[];
  if (tables.length === 0) return false;
  await transaction.query(`LOCK TABLE ${tables.map(({ name }) => name).join(', ')} IN ACCESS EXCLUSIVE MODE`);
  for (const table of tables) {
    const found = (await transaction.query(`${ownRowsOf(table)} LIMIT 1`)) as unknown[];
    if (found.length > 0) return true;
  }
  return false;
}

/** Explains why the rows of a schema could not be read; `undefined` for an unknown error. */
export function explainOwnRows(error: unknown): 'has rows' | 'is busy' | undefined {
  const { code } = error as { code?: unknown };
  if (code === INSUFFICIENT_PRIVILEGE) return 'has rows';
  return code === LOCK_NOT_AVAILABLE ? 'is busy' : undefined;
}

/**
 * Compared as JSON, because a type of the schema's own is not the template's type of the same name, although their
 * texts are equal.
 */
function ownRowsOf({ name, source }: Table): string {
  if (source === null) return `SELECT FROM ${name}`;
  const rowsOf = (table: string) => `SELECT pg_catalog.to_jsonb(held.*)::text FROM ONLY ${table} AS held`;
  return `SELECT FROM (${rowsOf(name)} EXCEPT ALL ${rowsOf(source)}) AS own`;
}
