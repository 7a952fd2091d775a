import { quoteIdentifier, type SqlExecutor } from '../common/sql';
import { withSearchPath } from '../schema/catalog';
import type { ExportedTable } from '../transfer/export-format';

/** Which tables have other rows at one place than at the other, as one sentence each. Their order does not matter. */
export async function requireSameRows(
  source: SqlExecutor,
  target: SqlExecutor,
  schemaName: string,
  tables: readonly ExportedTable[],
): Promise<string[]> {
  const differences: string[] = [];
  for (const table of tables) {
    const [before, after] = await Promise.all(
      [source, target].map((executor) => digestOf(executor, schemaName, table)),
    );
    if (before !== after) differences.push(`table ${table.name} has other rows`);
  }
  return differences;
}

/** The sum of the digests of all rows. All versions of PostgreSQL compute MD5 alike, which is no secret here. */
function digestOf(
  executor: SqlExecutor,
  schemaName: string,
  { name, columns }: ExportedTable,
): Promise<string> {
  // The path also sets the parameters that decide how values are printed.
  return withSearchPath(executor, schemaName, async () => {
    const row = columns.length === 0 ? `''` : `ROW(${columns.map(quoteIdentifier).join(', ')})::text`;
    const [{ digest }] = (await executor.query(
      `SELECT COALESCE(sum(('x' || pg_catalog.left(pg_catalog.md5(${row}), 15))::pg_catalog.bit(60)::pg_catalog.int8), 0)::text AS digest
       FROM ONLY ${quoteIdentifier(name)}`,
    )) as { digest: string }[];
    return digest;
  });
}
