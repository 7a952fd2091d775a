import type { SqlExecutor } from '../../common/sql';
import { TYPEORM_METADATA } from '../template/template-data';

/** SQLSTATE of what may not be read: a policy would hide rows of it, or the table is another role's. */
const INSUFFICIENT_PRIVILEGE = '42501';
/** SQLSTATE lock_not_available. */
const LOCK_NOT_AVAILABLE = '55P03';

/** Short, because the sweep comes again, and others wait behind its locks. */
const LOCK_TIMEOUT_MS = 2_000;

/** What the schemas of tenants are made of. */
export interface Origin {
  readonly templateSchema: string;
  /** Tables whose rows come with the clone. */
  readonly templateData: readonly string[];
}

interface Table {
  /** Quoted and qualified, as are the others. */
  readonly name: string;
  /** The template's table whose rows came with the clone. */
  readonly source: string | null;
}

/**
 * Whether there are rows in a schema that did not come with its clone. Its tables are locked first, so that until the
 * caller's transaction ends nobody writes one. Rows that a policy would hide count: they make an error.
 *
 * After an error the transaction is of no use; `explainOwnRows` tells what it means.
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

/** As JSON: a type of the schema's own is another one than the template's of the same name, with the same texts. */
function ownRowsOf({ name, source }: Table): string {
  if (source === null) return `SELECT FROM ${name}`;
  const rowsOf = (table: string) => `SELECT pg_catalog.to_jsonb(held.*)::text FROM ONLY ${table} AS held`;
  return `SELECT FROM (${rowsOf(name)} EXCEPT ALL ${rowsOf(source)}) AS own`;
}
