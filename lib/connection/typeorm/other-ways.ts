import { randomBytes } from 'node:crypto';
import { Client, type ClientConfig } from 'pg';
import type { DataSource } from 'typeorm';
import type { SqlExecutor } from '../../common/sql';
import { orSilence } from '../../common/silence';
import { AdminUrlElsewhereError, DirectUrlElsewhereError } from '../connection-start.errors';
import type { CheckedDatabaseOptions } from '../database.options';
import { findPooler, isServedByAnother, warnOfSharedSessions } from '../protocol/session-probe';
import { databaseLogin, type DatabaseLogin } from './database-login';
import { directConnection } from './own-connections';

/** Where a URL leads, and what is looked at there before anything is written. */
export interface Way {
  readonly name: string;
  readonly login: DatabaseLogin;
  readonly check: (registry: DataSource) => Promise<void>;
}

/**
 * The other ways to the database that the owner reaches: with `roles` that of requests, and the one around the pooler.
 * `options` is what the URLs are options of.
 */
export function otherWays(database: CheckedDatabaseOptions, options = 'database'): Way[] {
  const { url, directUrl, adminUrl } = database;
  const ways: Way[] = [];
  if (adminUrl !== undefined && url !== undefined) {
    const login = databaseLogin({ url }, `${options}.url`);
    const connection = directConnection({ ...database, directUrl: undefined });
    const elsewhere = () =>
      new AdminUrlElsewhereError(databaseLogin({ url: adminUrl }, `${options}.adminUrl`), login, options);
    const check = async (registry: DataSource) => {
      await requireSameDatabase(registry, connection, elsewhere);
    };
    ways.push({ name: `${options}.url`, login, check });
  }
  if (directUrl !== undefined) {
    const option = `${options}.directUrl`;
    const login = databaseLogin({ url: directUrl }, option);
    const connection = directConnection(database);
    const check = (registry: DataSource) => checkDirectUrl(registry, connection, login, option);
    ways.push({ name: option, login, check });
  }
  return ways;
}

/**
 * Refuses a `directUrl` that leads elsewhere than the registry's pool, and warns of one that leads to a pooler, too.
 *
 * @throws DirectUrlElsewhereError, and what `requireSameDatabase` throws
 */
async function checkDirectUrl(
  registry: DataSource,
  direct: ClientConfig,
  login: DatabaseLogin,
  option: string,
): Promise<void> {
  const isPooled = await requireSameDatabase(
    registry,
    direct,
    () => new DirectUrlElsewhereError(login, option),
  );
  if (isPooled) await warnOfPooler(direct, login, option);
}

/**
 * To be called before anything is written: of two URLs that were mixed up it is not known which is the wrong one.
 *
 * @returns whether a pooler answers there
 * @throws what `elsewhere` makes, and what pg throws when the connection cannot be made, or says nothing once it is made
 */
async function requireSameDatabase(
  registry: DataSource,
  way: ClientConfig,
  elsewhere: () => Error,
): Promise<boolean> {
  const client = new Client(way);
  // The error of a connection that breaks is that of the statement on it.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await registry.transaction('READ COMMITTED', async (transaction) => {
      if (!(await isSameDatabase(transaction, client))) throw elsewhere();
    });
    return await isServedByAnother(client);
  } catch (error) {
    throw orSilence(error, way.query_timeout ?? 0);
  } finally {
    await client.end().catch(() => undefined);
  }
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

async function warnOfPooler(
  direct: ClientConfig,
  { address, origin }: DatabaseLogin,
  option: string,
): Promise<void> {
  const pooler = await findPooler(direct);
  // One that keeps a session for its client lets it LISTEN; a migration that needs its own session is refused there.
  if (pooler === 'transaction' || pooler === 'unknown')
    warnOfSharedSessions(`At ${address} stands a pooler`, pooler, `${option} (${origin}) leads to it`);
}
