import { Client, type ClientConfig } from 'pg';

/** What pg knows of a connection once it has read the URL, the options and the environment. */
interface Known {
  readonly host: string;
  readonly port: number;
  readonly user?: string;
  readonly database?: string;
  readonly password?: string | null | (() => string | Promise<string>);
  readonly ssl: unknown;
}

/**
 * The text by which libpq connects as pg does with this configuration. It has the password. Certificates are not passed on: the
 * machine where PostgreSQL runs has others.
 */
export async function connectionText(config: ClientConfig): Promise<string> {
  const { host, port, user, database, password, ssl } = new Client(config) as unknown as Known;
  const fields = {
    host,
    port: String(port),
    user,
    dbname: database,
    password: (typeof password === 'function' ? await password() : password) ?? undefined,
    sslmode: ssl ? 'require' : undefined,
    connect_timeout:
      config.connectionTimeoutMillis && String(Math.ceil(config.connectionTimeoutMillis / 1_000)),
  };
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== '' && value !== 0)
    .map(([name, value]) => `${name}='${String(value).replaceAll(/[\\']/g, '\\$&')}'`)
    .join(' ');
}
