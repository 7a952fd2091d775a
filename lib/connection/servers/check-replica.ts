import { ServerMismatchError, ServerNotReadyError } from '../../placement/placement.errors';
import type { CheckedDatabaseOptions } from '../database.options';
import { type CheckedServer, checkServerSession } from '../protocol/session-probe';
import { isSameDatabase } from '../typeorm/other-ways';
import { requestConnection } from '../typeorm/own-connections';
import { markOf, readMark, withClient } from './server-mark';

/** The replica that is looked at, and the server whose tenants' rows it must have. */
export interface ReplicaOf {
  readonly server: string;
  /** What has the replica's URL. */
  readonly option: string;
  readonly replica: CheckedDatabaseOptions;
  readonly primary: CheckedDatabaseOptions;
  /** What was known of the primary when it was seen last. */
  readonly mark: string | undefined;
}

/**
 * Looks at a replica before anything is read there: that it is one of its server, and that its sessions begin with an empty path.
 *
 * @throws ServerMismatchError, ServerNotReadyError, UnsafeSessionError, and what pg throws when it cannot be reached
 */
export async function checkReplica(of: ReplicaOf): Promise<CheckedServer> {
  const { server, option, replica } = of;
  const connection = requestConnection(replica);
  const { mark, isInRecovery } = await withClient(connection, markOf);
  if (mark === undefined)
    throw new ServerNotReadyError(
      server,
      `${option} cannot be told from another server, because its role may not ask. On the server, run: GRANT EXECUTE ON FUNCTION ` +
        `pg_control_system() TO ${replica.username ?? 'that role'}.`,
    );
  const expected = isInRecovery ? await markOfPrimary(of) : await markUnlessPromoted(of);
  if (mark !== expected)
    throw new ServerMismatchError(
      server,
      'it is no replica of that server, but another database. Correct the URL.',
      option,
    );
  return { ...(await checkServerSession(connection, replica.url, option)), mark };
}

/** A replica serves while its primary is away: then what was known of that counts. */
async function markOfPrimary({ primary, mark: known }: ReplicaOf): Promise<string | undefined> {
  try {
    return (await readMark(requestConnection(primary))).mark;
  } catch (error) {
    if (known === undefined) throw error;
    return known;
  }
}

/** One that takes writes of its own has the same name for ever, and soon other rows: unless it is the primary itself. */
async function markUnlessPromoted({ server, option, replica, primary }: ReplicaOf) {
  return withClient(requestConnection(primary), async (client) => {
    const isPrimary = await withClient(requestConnection(replica), async (other) => {
      await client.query('BEGIN');
      const isSame = await isSameDatabase(client, other);
      await client.query('ROLLBACK');
      return isSame;
    });
    const { mark } = await markOf(client);
    if (isPrimary || mark === undefined) return mark;
    throw new ServerMismatchError(
      server,
      'it takes writes of its own, so what it has is not what its primary has: it was promoted, or is another server. Correct ' +
        'the URL.',
      option,
    );
  });
}
