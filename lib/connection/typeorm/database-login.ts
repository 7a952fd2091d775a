import { userInfo } from 'node:os';
import type { Environment } from '../../common/options/option.decorator';
import type { TenancyDatabaseOptions } from '../database.options';
import type { TenancyTypeOrmOptions } from './typeorm.options';

/** Where an application logs in and as whom, to be named when it cannot. The password is not in it. */
export interface DatabaseLogin {
  /** `127.0.0.1:5432`, a Unix socket, or several of replication. */
  readonly address: string;
  readonly user: string;
  readonly database: string;
  /** What to change: the variable that holds the URL, or the option. */
  readonly origin: string;
}

type Server = Pick<TenancyDatabaseOptions, 'url' | 'host' | 'port' | 'username' | 'database'>;

export type Replication = NonNullable<TenancyTypeOrmOptions['replication']>;

/** `option` is where the URL was given, if no variable has it. */
export function databaseLogin(
  server: Server,
  option: string,
  environment: Environment = process.env,
): DatabaseLogin {
  const { url, host, port, username, database } = { ...server, ...partsOf(server.url) };
  const user = username || environment.PGUSER || environment.USER || userInfo().username;
  return {
    address: addressOf(host || environment.PGHOST || 'localhost', port || environment.PGPORT || 5432),
    user,
    database: database || environment.PGDATABASE || user,
    origin: url === undefined ? 'database.host and its kin' : (variableOf(url, environment) ?? option),
  };
}

/** What pg connects to: it takes a host that begins with a slash for the folder of a Unix socket. */
function addressOf(host: string, port: number | string): string {
  return host.startsWith('/') ? `${host}/.s.PGSQL.${port}` : `${host}:${port}`;
}

/** It is not known which of the servers it is that does not answer. */
export function replicationLogin({ master, slaves }: Replication): DatabaseLogin {
  const logins = [master, ...slaves].map((server) => databaseLogin(server, 'database.url'));
  const address = [...new Set(logins.map((each) => each.address))].join(', ');
  return { ...logins[0], address, origin: 'typeorm.replication' };
}

/** A URL decides on what it names, and its parameters before the rest of it, as in pg; what is left is asked of the options. */
function partsOf(url: string | undefined): Partial<Server> {
  if (url === undefined || !URL.canParse(url)) return {};
  const { hostname, port, username, pathname, searchParams } = new URL(url);
  const parts = {
    host: searchParams.get('host') || decoded(hostname),
    port: searchParams.get('port') || port,
    username: searchParams.get('user') || decoded(username),
    // As pg does it: `%2F` stays.
    database: decoded(pathname.slice(1), decodeURI),
  };
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== ''));
}

function decoded(text: string, decode = decodeURIComponent): string {
  try {
    return decode(text);
  } catch {
    return text;
  }
}

/** The option holds what the application has read from somewhere, which is what its owner can change. */
function variableOf(url: string, environment: Environment): string | undefined {
  const names = Object.keys(environment).filter((name) => environment[name] === url);
  return names.find((name) => /DATABASE_URL$/.test(name)) ?? names[0];
}
