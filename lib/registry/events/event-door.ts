import { lockUntilEnd, MAX_IDENTIFIER_BYTES, quoteIdentifier, type SqlExecutor } from '../../common/sql';
import { MAX_ACTOR_ID_LENGTH, MAX_EVENT_BYTES, MAX_SUBJECT_LENGTH, MAX_TYPE_LENGTH } from './event-rules';
import { NOBODY } from './event-tables';

const SUFFIX = '_events';

/** The door's schema: `tenancy_events` for the registry `tenancy`. */
export function doorSchema(registrySchema: string): string {
  return registrySchema.slice(0, MAX_IDENTIFIER_BYTES - SUFFIX.length) + SUFFIX;
}

/**
 * Makes the way by which a tenant's own PostgreSQL role records an event. It may do nothing in the registry's schema, so it
 * calls a function of the owner's, which is in a schema of its own: PUBLIC may use that, and nothing else is in it.
 *
 * The function notes the role that has called it. Whose event it says it is, the sealer compares with that role, so a role can
 * record what happens to its own tenant only; and it reads nothing. It refuses what is too long to be kept even for a while;
 * all else that may not be said the sealer drops. A door of an earlier version is replaced.
 */
export async function makeEventDoor(transaction: SqlExecutor, registrySchema: string): Promise<void> {
  const schema = quoteIdentifier(doorSchema(registrySchema));
  const body = bodyOf(quoteIdentifier(registrySchema));
  const isThere = async () => {
    const [{ found }] = (await transaction.query(
      `SELECT EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.oid = pg_catalog.to_regproc($1) AND p.prosrc = $2) AS found`,
      [`${schema}.record`, body],
    )) as { found: boolean }[];
    return found;
  };
  if (await isThere()) return;
  // Several instances may start at once.
  await lockUntilEnd(transaction, `${schema}.record`);
  if (await isThere()) return;
  await transaction.query(`
    CREATE SCHEMA IF NOT EXISTS ${schema};
    GRANT USAGE ON SCHEMA ${schema} TO PUBLIC;
    CREATE OR REPLACE FUNCTION ${schema}.record(
      id uuid, tenant_id uuid, type text, actor_type text, actor_id text, subject text, data json)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $door$${body}$door$;
    GRANT EXECUTE ON FUNCTION ${schema}.record TO PUBLIC`);
}

/** A character has at most four bytes. `schema` is the registry's, quoted. */
function bodyOf(schema: string): string {
  return `
    BEGIN
      IF octet_length(data::text) > ${MAX_EVENT_BYTES} OR octet_length(type) > ${MAX_TYPE_LENGTH}
        OR octet_length(actor_type) > ${MAX_TYPE_LENGTH} OR octet_length(actor_id) > ${4 * MAX_ACTOR_ID_LENGTH}
        OR octet_length(subject) > ${4 * MAX_SUBJECT_LENGTH} THEN
        RAISE EXCEPTION 'The event was not recorded: it is too long.' USING ERRCODE = 'program_limit_exceeded';
      END IF;
      INSERT INTO ${schema}.tenant_event_outbox (id, tenant_id, type, actor_type, actor_id, subject, data, role_name)
      VALUES (id, coalesce(tenant_id, '${NOBODY}'), type, actor_type, actor_id, subject, data, current_setting('role'));
    END`;
}
