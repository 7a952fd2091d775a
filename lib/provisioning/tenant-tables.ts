import type { SqlExecutor } from '../common/sql';

/** The tables of a schema, quoted and qualified. */
export async function listTables(executor: SqlExecutor, schemaName: string): Promise<string[]> {
  const found = (await executor.query(
    `SELECT pg_catalog.format('%I.%I', schemaname, tablename) AS name FROM pg_catalog.pg_tables WHERE schemaname = $1`,
    [schemaName],
  )) as { name: string }[];
  return found.map(({ name }) => name);
}

/**
 * Keeps their structure as it is until the caller's transaction ends. Unlike a SELECT, LOCK takes no snapshot; so what
 * it had to wait for is seen by what comes after.
 */
export async function lockTables(transaction: SqlExecutor, tables: readonly string[]): Promise<void> {
  if (tables.length === 0) return;
  await transaction.query(`LOCK TABLE ONLY ${tables.join(', ONLY ')} IN ACCESS SHARE MODE`);
}
