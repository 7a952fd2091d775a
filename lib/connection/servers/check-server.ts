import { DataSource } from 'typeorm';
import { keepLostConnections } from '../typeorm/tenant-data-source';
import type { CheckedRegistryPlace } from '../../registry/registry.options';
import { assertRegistryMigrated, migrateRegistry } from '../../registry/migrate-registry';
import { registryOptions } from '../../registry/registry';
import {
  findIdentity,
  findKnownServer,
  noteServer,
  requireServer,
  type ServerIdentity,
  writeIdentity,
} from '../../registry/server-identity';
import type { CheckedDatabaseOptions } from '../database.options';
import { type CheckedServer, checkServerSession } from '../protocol/session-probe';
import { connectionOf, ownersOf, requestConnection } from '../typeorm/own-connections';
import { otherWays } from '../typeorm/other-ways';
import { readMark } from './server-mark';
import { ServerNotReadyError } from '../../placement/placement.errors';

/**
 * Looks at a server before any tenant's statement goes there: that it is the one of that name, that it has our tables, and
 * that its sessions begin with an empty path.
 *
 * @throws ServerMismatchError, ServerNotReadyError, UnsafeSessionError, and what `otherWays` and `migrateRegistry` throw
 */
export async function checkServer(
  server: string,
  database: CheckedDatabaseOptions,
  { schema, migrate }: CheckedRegistryPlace,
  registry: DataSource,
): Promise<CheckedServer> {
  const own = (await findIdentity(registry, schema))!;
  const wanted = { registryId: own.registryId, server };
  const tables = keepLostConnections(
    new DataSource(
      registryOptions({
        ...connectionOf(ownersOf(database)),
        schema,
        connectTimeoutMs: database.connectTimeoutMs,
        answerTimeoutMs: database.answerTimeoutMs,
      }),
    ),
  );
  try {
    await tables.initialize();
    const known = await findKnownServer(registry, schema, server);
    // Before anything is written there.
    requireServer(wanted, await findIdentity(tables, schema), known);
    await requireWrites(tables, server);
    for (const way of otherWays(database, `servers.${server}`)) await way.check(tables);
    if (migrate) await migrateRegistry(tables, (transaction) => writeIdentity(transaction, schema, wanted));
    else await assertRegistryMigrated(tables);
    const found = (await findIdentity(tables, schema)) as ServerIdentity;
    requireServer(wanted, found, known ?? (await noteServer(registry, schema, server, found.serverId)));
  } finally {
    if (tables.isInitialized) await tables.destroy();
  }
  const requests = requestConnection(database);
  const { pooler } = await checkServerSession(requests, database.directUrl, `servers.${server}`);
  return { pooler, mark: (await readMark(requests)).mark };
}

/** A replica has the identity of its primary. After a failover the URL may lead there for a while. */
async function requireWrites(tables: DataSource, server: string): Promise<void> {
  const [{ isReadOnly }] = await tables.query<{ isReadOnly: boolean }[]>(
    `SELECT pg_catalog.current_setting('transaction_read_only')::boolean AS "isReadOnly"`,
  );
  if (isReadOnly)
    throw new ServerNotReadyError(
      server,
      'it takes no writes. It is a replica, or default_transaction_read_only is on there.',
    );
}
