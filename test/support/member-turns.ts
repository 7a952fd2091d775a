import { Client } from 'pg';
import type { TestDatabase } from './database';

/** Runs the tries while nobody may change the tenant's members, until two of them wait for it: they have looked before. */
export async function whileMembersAreLocked<T>(
  database: TestDatabase,
  tenantId: string,
  tries: () => Promise<T>[],
): Promise<T[]> {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
      `"tenancy".tenant_members ${tenantId}`,
    ]);
    const answers = Promise.all(tries());
    const waiting = `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
    while (((await client.query(waiting)).rowCount ?? 0) < 2);
    await client.query('COMMIT');
    return await answers;
  } finally {
    await client.end();
  }
}
