import type { EntityManager } from 'typeorm';
import { NOBODY } from './event-tables';

/** Deleted in one transaction. */
const BATCH_ROWS = 5_000;

/**
 * Deletes the first events of a tenant, as far as they are older than `days` by PostgreSQL's clock, and keeps the hash of the last
 * of them, from which the chain goes on. Returns how many it deleted, at most 5,000; call it again while it deletes some.
 */
export async function pruneEvents(
  manager: EntityManager,
  schema: string,
  tenantId: string | null,
  days: number,
): Promise<number> {
  const own = tenantId === null ? 'tenant_id IS NULL' : 'tenant_id = $1';
  // All or nothing of it: an event that is younger stays, and all that came after it. Another may have pruned more meanwhile.
  const [{ count }] = await manager.query<{ count: number }[]>(
    `WITH first AS (
       SELECT sequence, hash, occurred_at >= pg_catalog.clock_timestamp() - $2 * interval '1 day' AS is_young
       FROM ${schema}.tenant_events WHERE ${own} ORDER BY sequence LIMIT ${BATCH_ROWS}),
     last AS (
       SELECT sequence, hash FROM first
       WHERE sequence < coalesce((SELECT min(sequence) FROM first WHERE is_young), 9223372036854775807)
       ORDER BY sequence DESC LIMIT 1),
     head AS (
       UPDATE ${schema}.tenant_event_heads h SET sealed_sequence = last.sequence, sealed_hash = last.hash
       FROM last WHERE h.tenant_id = coalesce($1::uuid, '${NOBODY}') AND h.sealed_sequence < last.sequence
       RETURNING h.sealed_sequence),
     gone AS (
       DELETE FROM ${schema}.tenant_events e USING head WHERE ${own.replace('tenant_id', 'e.tenant_id')}
         AND e.sequence <= head.sealed_sequence RETURNING 1)
     SELECT pg_catalog.count(*)::integer AS count FROM gone`,
    [tenantId, days],
  );
  return count;
}
