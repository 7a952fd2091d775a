import { randomBytes } from 'node:crypto';
import { Client, type ClientConfig } from 'pg';
import type { DataSource } from 'typeorm';
import type { SqlExecutor } from '../../common/sql';
import { orSilence } from '../../common/silence';
import { DirectUrlElsewhereError } from '../connection.errors';
import { isServedByAnother, probeWay, warnOfSharedSessions } from '../protocol/session-probe';
import type { DatabaseLogin } from './database-login';

/**
 * Refuses a `directUrl` that leads elsewhere than the registry's pool, and warns of one that leads to a pooler, too. To be
 * called before anything is written: of two URLs that were mixed up it is not known which is the wrong one.
 *
 * @throws DirectUrlElsewhereError, and what pg throws when the connection cannot be made, or says nothing once it is made
 */
export async function checkDirectUrl(
  registry: DataSource,
  direct: ClientConfig,
  login: DatabaseLogin,
): Promise<void> {
  const client = new Client(direct);
  // The error of a connection that breaks is that of the statement on it.
  client.on('error', () => undefined);
  let isPooled: boolean;
  try {
    await client.connect();
    await registry.transaction('READ COMMITTED', async (transaction) => {
      if (!(await isSameDatabase(transaction, client))) throw new DirectUrlElsewhereError(login);
    });
    isPooled = await isServedByAnother(client);
  } catch (error) {
    throw orSilence(error, direct.query_timeout ?? 0);
  } finally {
    await client.end().catch(() => undefined);
  }
  if (isPooled) await warnOfPooler(direct, login);
}

/**
 * Whether `client` is in the database of `transaction`, which must be open. A copy of it, or a replica, is another one: nobody
 * there would hear of a change. Names and ids are the same in a copy, and catalogs of the server may be hidden. But an advisory
 * lock is of one database of one running server: who finds it free is elsewhere.
 */
export async function isSameDatabase(transaction: SqlExecutor, client: Client): Promise<boolean> {
  const key = randomBytes(8).readBigInt64BE().toString();
  await transaction.query('SELECT pg_catalog.pg_advisory_xact_lock($1::bigint)', [key]);
  const { rows } = await client.query<{ isFree: boolean }>(
    'SELECT pg_catalog.pg_try_advisory_xact_lock($1::bigint) AS "isFree"',
    [key],
  );
  return !rows[0].isFree;
}

async function warnOfPooler(direct: ClientConfig, { address, origin }: DatabaseLogin): Promise<void> {
  const pooler = await probeWay(direct);
  // One that keeps a session for its client lets it LISTEN; a migration that needs its own session is refused there.
  if (pooler === 'transaction' || pooler === 'unknown')
    warnOfSharedSessions(
      `At ${address} stands a pooler`,
      pooler,
      `database.directUrl (${origin}) leads to it`,
    );
}
