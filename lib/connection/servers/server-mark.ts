import { Client, type ClientConfig } from 'pg';
import { orSilence } from '../../common/silence';

/** insufficient_privilege */
const NOT_ALLOWED = '42501';

/** Which database of which server answers. */
export interface ServerMark {
  /** The same for a replica as for its primary, and after a failover. `undefined` where the login role may not know. */
  readonly mark: string | undefined;
  readonly isReadOnly: boolean;
  readonly isInRecovery: boolean;
}

/** @throws what pg throws when the server cannot be reached, or says nothing */
export function readMark(options: ClientConfig): Promise<ServerMark> {
  return withClient(options, markOf);
}

export async function markOf(client: Client): Promise<ServerMark> {
  const ask = async (mark: string) => {
    const { rows } = await client.query<ServerMark>(
      `SELECT ${mark} AS mark, pg_catalog.current_setting('transaction_read_only')::boolean AS "isReadOnly",
              pg_catalog.pg_is_in_recovery() AS "isInRecovery"`,
    );
    return rows[0];
  };
  const database = `(SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())`;
  const system = `(SELECT system_identifier FROM pg_catalog.pg_control_system())`;
  try {
    return await ask(`${system} || '/' || ${database}`);
  } catch (error) {
    if ((error as { code?: string }).code !== NOT_ALLOWED) throw error;
    return { ...(await ask('NULL')), mark: undefined };
  }
}

/** Gives `work` a connection of its own, outside of any pool. */
export async function withClient<T>(options: ClientConfig, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ ...options, password: options.password });
  // The error of a connection that breaks is that of the statement on it.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    throw orSilence(error, options.query_timeout ?? 0);
  } finally {
    await client.end().catch(() => undefined);
  }
}
