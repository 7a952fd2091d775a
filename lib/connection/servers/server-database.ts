import { DEFAULT_SERVER } from '../../placement/place';
import { ServerUnknownError } from '../../placement/placement.errors';
import type { CheckedDatabaseOptions, ConnectionOptions } from '../connection.options';

/**
 * How to reach a server. What a further one does not say is as in `database`.
 *
 * @throws ServerUnknownError for one that the options do not name
 */
export function databaseOfServer(
  { database, servers }: Pick<ConnectionOptions, 'database' | 'servers'>,
  name: string,
): CheckedDatabaseOptions {
  if (name === DEFAULT_SERVER) return database;
  if (!Object.hasOwn(servers, name)) throw new ServerUnknownError(name);
  const { url, adminUrl, directUrl, poolSize = database.poolSize } = servers[name];
  const { host, port, username, password, database: named, ...shared } = database;
  return { ...shared, url, adminUrl, directUrl, poolSize };
}
