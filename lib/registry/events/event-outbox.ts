import type { SqlExecutor } from '../../common/sql';
import { storableJson, storableText } from '../../common/storable';
import { uuidV7 } from '../../common/uuid-v7';
import { type NewEvent, SYSTEM } from './tenant-event';

/**
 * Records an event in the caller's transaction, which must be where the registry is: both are kept, or neither. Returns its id.
 *
 * Call it after the change itself: the lock on what was changed then decides the order, and events are in the order of the
 * commits. `schema` is the registry's, quoted.
 */
export async function recordEvent(executor: SqlExecutor, schema: string, event: NewEvent): Promise<string> {
  const { tenantId, type, actor = SYSTEM, subject = null, data = {} } = event;
  const id = uuidV7();
  await executor.query(
    `INSERT INTO ${schema}.tenant_event_outbox (id, tenant_id, type, actor_type, actor_id, subject, data)
     VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [id, tenantId, type, actor.type, actor.id, subject && storableText(subject), storableJson(data)],
  );
  return id;
}
