import { MAX_IDENTIFIER_BYTES, type SqlExecutor } from '../../common/sql';

const SUFFIX = ':tenants';

/** What `changesChannel` keeps of a schema's name. The triggers cut it in the same way. */
export const CHANNEL_SCHEMA_LENGTH = MAX_IDENTIFIER_BYTES - SUFFIX.length;

/** The same in SQL, as an expression over the schema of the table that a trigger runs for. */
export const CHANNEL_IN_TRIGGER = `pg_catalog.left(TG_TABLE_SCHEMA, ${CHANNEL_SCHEMA_LENGTH}) || '${SUFFIX}'`;

/** What begins the payload when a tenant's place has changed, or a move of it has come further. Its id follows. */
export const MOVE_NEWS = 'move ';

/**
 * The channel on which the registry in `schema` tells of changed tenants: `tenancy:tenants`. The payload is the id, or
 * empty for all of them. Two registries whose long names begin alike share a channel, which costs only needless
 * notifications.
 */
export function changesChannel(schema: string): string {
  return schema.slice(0, CHANNEL_SCHEMA_LENGTH) + SUFFIX;
}

/**
 * Tells whoever LISTENs on `channel`. It is committed without waiting for the disk: what a crash of PostgreSQL would
 * lose is of no use after it.
 */
export async function notify(executor: SqlExecutor, channel: string, payload: string): Promise<void> {
  await executor.query(
    `SELECT pg_catalog.set_config('synchronous_commit', 'off', true), pg_catalog.pg_notify($1, $2)`,
    [channel, payload],
  );
}
