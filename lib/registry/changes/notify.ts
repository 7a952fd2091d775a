import type { SqlExecutor } from '../../common/sql';

/**
 * Tells whoever LISTENs on `channel`. It is committed without waiting for the disk: what a crash of PostgreSQL would lose
 * is of no use after it.
 */
export async function notify(executor: SqlExecutor, channel: string, payload: string): Promise<void> {
  await executor.query(
    `SELECT pg_catalog.set_config('synchronous_commit', 'off', true), pg_catalog.pg_notify($1, $2)`,
    [channel, payload],
  );
}
