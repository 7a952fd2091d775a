import type { PoolConfig } from 'pg';
import { DEFAULT_SERVER } from '../../placement/place';
import { ServerUnknownError } from '../../placement/placement.errors';
import type { ConnectionOptions } from '../connection.options';
import type { CheckedDatabaseOptions } from '../database.options';
import { poolConfigOf } from '../typeorm/own-connections';

type Given = Pick<ConnectionOptions, 'database' | 'servers' | 'typeorm'>;

/**
 * How to reach a server. What a further one does not say is as in `database`.
 *
 * @throws ServerUnknownError for one that the options do not name
 */
export function databaseOfServer(
  { database, servers }: Pick<Given, 'database' | 'servers'>,
  name: string,
): CheckedDatabaseOptions {
  if (name === DEFAULT_SERVER) return database;
  if (!Object.hasOwn(servers, name)) throw new ServerUnknownError(name);
  const {
    url,
    adminUrl,
    directUrl,
    poolSize = database.poolSize,
    databaseTemplate = database.databaseTemplate,
  } = servers[name];
  return { ...withoutWay(database), url, adminUrl, directUrl, poolSize, databaseTemplate };
}

/** The way that requests take to a server: with `typeorm.replication` that decides on the default one's. */
export function requestsDatabaseOf(options: Given, name: string): CheckedDatabaseOptions {
  const master = name === DEFAULT_SERVER ? options.typeorm?.replication?.master : undefined;
  return master ? { ...withoutWay(options.database), ...master } : databaseOfServer(options, name);
}

/** The ways to the replicas of a server: those of the default one are TypeORM's. */
export function replicasOf(options: Given, name: string): CheckedDatabaseOptions[] {
  const server = withoutWay(databaseOfServer(options, name));
  if (name !== DEFAULT_SERVER)
    return (options.servers[name].replicas ?? []).map((url) => ({ ...server, url }));
  return (options.typeorm?.replication?.slaves ?? []).map((slave) => ({ ...server, ...slave }));
}

/** Whether reads go to replicas by the server of their tenant, and not as TypeORM sends them. */
export function hasReplicasByServer({ servers, typeorm }: Given): boolean {
  const isReplicated = Object.values(servers).some(({ replicas = [] }) => replicas.length > 0);
  return isReplicated || (typeorm?.replication !== undefined && Object.keys(servers).length > 0);
}

/** The name of the option that has a replica. */
export function replicaOption(name: string, index: number): string {
  return name === DEFAULT_SERVER
    ? `typeorm.replication.slaves[${index}]`
    : `servers.${name}.replicas[${index}]`;
}

/** What stands in for a replica, on a developer's machine or after a failover, takes no writes either. */
export function replicaPoolOf(replica: CheckedDatabaseOptions): PoolConfig {
  const config = poolConfigOf(replica);
  const options = `${config.options} -c default_transaction_read_only=on`;
  const { connectionString } = config;
  if (connectionString === undefined) return { ...config, options };
  const url = new URL(connectionString);
  url.searchParams.set('options', `${url.searchParams.get('options')} -c default_transaction_read_only=on`);
  return { ...config, options, connectionString: url.href };
}

function withoutWay(database: CheckedDatabaseOptions): CheckedDatabaseOptions {
  const { url, host, port, username, password, database: name, adminUrl, directUrl, ...shared } = database;
  return shared;
}
