import type { ClientConfig, PoolConfig } from 'pg';
import { KEEP_ALIVE } from '../../common/silence';
import type { CheckedDatabaseOptions } from '../database.options';
import { withEmptySearchPath, withEmptySearchPathInUrl } from './tenant-data-source';

/** What TypeORM is given of a connection: these, and nothing that is ours. */
export function connectionOf({
  url,
  host,
  port,
  username,
  password,
  database,
  ssl,
  applicationName,
  extra,
}: CheckedDatabaseOptions) {
  const options = extra as { readonly options?: string } | undefined;
  return { url, host, port, username, password, database, ssl, applicationName, extra: options };
}

/** Where the role that owns the schemas logs in: `adminUrl`, or without `roles` where everybody does. */
export function ownersOf(database: CheckedDatabaseOptions): CheckedDatabaseOptions {
  const { adminUrl, ...shared } = database;
  if (adminUrl === undefined) return database;
  const { host, port, username, password, database: name, ...rest } = shared;
  return { ...rest, url: adminUrl, directUrl: undefined };
}

/** The URL's own start-up options win over `extra.options`, as in pg; but ours, put there, must not hide the latter. */
export function withOptions(url: string, options: string | undefined): string {
  const parsed = new URL(url);
  if (options !== undefined && !parsed.searchParams.has('options'))
    parsed.searchParams.set('options', options);
  return parsed.href;
}

/** A connection of one's own, around the pooler if there is one, for what needs a session that is not shared. */
export function directConnection(database: CheckedDatabaseOptions): ClientConfig {
  const { url, username, applicationName, extra, ...connection } = connectionOf(database);
  return {
    ...connection,
    connectionString: database.directUrl ?? url,
    user: username,
    application_name: applicationName,
    ...KEEP_ALIVE,
    ...extra,
    connectionTimeoutMillis: database.connectTimeoutMs,
    query_timeout: database.connectTimeoutMs,
    // TypeORM's type of a password given by a function differs from pg's own.
  } as ClientConfig;
}

/** The same for the owner's work, whose statements take as long as they take, with the empty path of all our sessions. */
export function ownSessionConnection(database: CheckedDatabaseOptions): ClientConfig {
  return { ...withEmptyPath(directConnection(ownersOf(database))), query_timeout: undefined };
}

/** A connection such as those of requests, to look at what its session begins with. */
export function requestConnection(database: CheckedDatabaseOptions): ClientConfig {
  return withEmptyPath(directConnection({ ...database, directUrl: undefined }));
}

/** The pool of a further server, as TypeORM makes that of the first. */
export function poolConfigOf(database: CheckedDatabaseOptions): PoolConfig {
  const { query_timeout: _, ...connection } = requestConnection(database);
  return { ...connection, max: database.poolSize };
}

function withEmptyPath({ connectionString, options, ...connection }: ClientConfig): ClientConfig {
  return {
    ...connection,
    connectionString: connectionString && withEmptySearchPathInUrl(withOptions(connectionString, options)),
    options: withEmptySearchPath(options),
  };
}
