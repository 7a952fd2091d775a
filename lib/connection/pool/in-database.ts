import type { ClientConfig } from 'pg';

/** The same way to the server, into another of its databases. A URL goes before all else, as pg reads it. */
export function inDatabase<Config extends ClientConfig>(
  config: Config,
  database: string | undefined,
): Config {
  if (database === undefined) return config;
  if (config.connectionString === undefined) return { ...config, database };
  const url = new URL(config.connectionString);
  if (url.protocol === 'socket:') url.searchParams.set('db', database);
  else url.pathname = `/${encodeURIComponent(database)}`;
  return { ...config, connectionString: url.href };
}
