import type { SqlExecutor } from '../common/sql';

/** PostgreSQL's version number: 180004 is 18.4. */
export async function serverVersion(executor: SqlExecutor): Promise<number> {
  const [{ version }] = (await executor.query(
    `SELECT pg_catalog.current_setting('server_version_num')::int AS version`,
  )) as { version: number }[];
  return version;
}

export function majorOf(version: number): number {
  return Math.floor(version / 10_000);
}
