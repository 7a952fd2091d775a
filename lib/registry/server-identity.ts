import { quoteIdentifier, type SqlExecutor } from '../common/sql';
import { DEFAULT_SERVER } from '../placement/place';
import { ServerMismatchError } from '../placement/placement.errors';
import { MIGRATIONS_TABLE } from './migrate-registry';

/** Whose tables these are: those of the registry, or what the registry keeps on another server. */
export interface ServerIdentity {
  /** The registry's. */
  readonly registryId: string;
  /** `default` where the registry is. */
  readonly server: string;
  /** Of this one server, made at random when its tables were. A copy of the database has the same. */
  readonly serverId: string;
}

/** `undefined` where no tables of ours are. Those of a version that knew of no servers are a registry's. */
export async function findIdentity(
  executor: SqlExecutor,
  schema: string,
): Promise<ServerIdentity | undefined> {
  const [{ isThere, isOfBefore }] = (await executor.query(
    `SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute
       WHERE attrelid = pg_catalog.to_regclass($1) AND attname = 'server_id' AND NOT attisdropped) AS "isThere",
       pg_catalog.to_regclass($2) IS NOT NULL AS "isOfBefore"`,
    [`${quoteIdentifier(schema)}.registry_identity`, `${quoteIdentifier(schema)}.${MIGRATIONS_TABLE}`],
  )) as { isThere: boolean; isOfBefore: boolean }[];
  if (!isThere)
    return isOfBefore
      ? { registryId: 'of an earlier version', server: DEFAULT_SERVER, serverId: '' }
      : undefined;
  const [row] = (await executor.query(
    `SELECT id AS "registryId", server, server_id AS "serverId" FROM ONLY ${quoteIdentifier(schema)}.registry_identity`,
  )) as ServerIdentity[];
  return row;
}

/** Whether two connections work in the same database of ours. The tables of another server look the same. */
export async function isSameServer(one: SqlExecutor, other: SqlExecutor, schema: string): Promise<boolean> {
  const [ours, theirs] = [await findIdentity(one, schema), await findIdentity(other, schema)];
  return ours?.serverId === theirs?.serverId;
}

/** Makes new tables those of a server of the registry. To be called in the transaction that made them. */
export async function writeIdentity(
  transaction: SqlExecutor,
  schema: string,
  { registryId, server }: Pick<ServerIdentity, 'registryId' | 'server'>,
): Promise<void> {
  await transaction.query(`UPDATE ${quoteIdentifier(schema)}.registry_identity SET id = $1, server = $2`, [
    registryId,
    server,
  ]);
}

/** The id under which the registry knows the server of that name; `undefined` when it was never reached. */
export async function findKnownServer(
  registry: SqlExecutor,
  schema: string,
  server: string,
): Promise<string | undefined> {
  const [row] = (await registry.query(
    `SELECT server_id AS "serverId" FROM ${quoteIdentifier(schema)}.servers WHERE name = $1`,
    [server],
  )) as { serverId: string }[];
  return row?.serverId;
}

/** Notes which server the name leads to. Returns what is noted: another instance may have been first. */
export async function noteServer(
  registry: SqlExecutor,
  schema: string,
  server: string,
  serverId: string,
): Promise<string | undefined> {
  await registry.query(
    `INSERT INTO ${quoteIdentifier(schema)}.servers (name, server_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
    [server, serverId],
  );
  return findKnownServer(registry, schema, server);
}

/**
 * @param found what the tables on the server say of themselves; `undefined`: there are none
 * @param known the id under which the registry knows the server; `undefined`: it was never reached
 * @throws ServerMismatchError when the URL leads to something else than the server of that name
 */
export function requireServer(
  { registryId, server }: Pick<ServerIdentity, 'registryId' | 'server'>,
  found: ServerIdentity | undefined,
  known: string | undefined,
): void {
  const refuse = (what: string) => new ServerMismatchError(server, what);
  if (!found) {
    if (known === undefined) return;
    throw refuse(
      'the database there has none of the tables that this server has had. Correct the URL. If the server was lost, restore its ' +
        'backup there.',
    );
  }
  if (found.registryId !== registryId)
    throw refuse(
      `the database there belongs to another registry (${found.registryId}, and this one is ${registryId}). Correct the URL, or ` +
        'set registry.schema to a name that is free there.',
    );
  if (found.server === DEFAULT_SERVER)
    throw refuse('it is the database of the registry, which is the server "default". Correct the URL.');
  if (found.server !== server)
    throw refuse(
      `it is the server ${JSON.stringify(found.server)}. Correct the URL: two were mixed up, or one was renamed in the options.`,
    );
  if (known !== undefined && known !== found.serverId)
    throw refuse(
      `it is another server than the one that the registry knows by this name (${found.serverId}, and not ${known}). Correct the ` +
        'URL.',
    );
}
