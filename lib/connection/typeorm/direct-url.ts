import { randomBytes } from 'node:crypto';
import { Client, type ClientConfig } from 'pg';
import type { DataSource } from 'typeorm';
import { DirectUrlElsewhereError } from '../connection.errors';
import type { DatabaseLogin } from './database-login';

/**
 * Refuses a `directUrl` that leads to another database than the registry's, to a copy of it, or to a replica: nobody there would
 * hear of a change. Names and ids are the same in a copy, and catalogs of the server may be hidden. But an advisory lock is of one
 * database of one running server: who finds it free is elsewhere.
 *
 * @throws DirectUrlElsewhereError, and what pg throws when the connection cannot be made
 */
export async function requireSameDatabase(
  registry: DataSource,
  direct: ClientConfig,
  login: DatabaseLogin,
): Promise<void> {
  const client = new Client(direct);
  // The error of a connection that breaks is that of the statement on it.
  client.on('error', () => undefined);
  const key = randomBytes(8).readBigInt64BE().toString();
  try {
    await client.connect();
    await registry.transaction('READ COMMITTED', async (manager) => {
      await manager.query('SELECT pg_catalog.pg_advisory_xact_lock($1::bigint)', [key]);
      const { rows } = await client.query<{ isFree: boolean }>(
        'SELECT pg_catalog.pg_try_advisory_xact_lock($1::bigint) AS "isFree"',
        [key],
      );
      if (rows[0].isFree) throw new DirectUrlElsewhereError(login);
    });
  } finally {
    await client.end().catch(() => undefined);
  }
}
