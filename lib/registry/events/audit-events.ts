import type { EntityManager } from 'typeorm';
import type { SqlExecutor } from '../../common/sql';
import { recordEvent } from './event-outbox';
import { type AuditQuery, type AuditRecord, type TenantAction, ACTION_TYPES } from './tenant-audit';
import { type EventActor, SYSTEM } from './tenant-event';

/** What an actor's name in an audit begins with, and the type of actor that it tells. */
const NAMED_KINDS: readonly (readonly [prefix: string, type: string])[] = [
  ['api key ', 'api-key'],
  ['cli:', 'cli'],
  ['support ', 'support'],
];

/** Of one that a name tells no more of: a master key, or a name that code gave. */
const OPERATOR = 'operator';

/** `api key 0193…` is the key of that id. */
export function actorNamed(name: string | null | undefined): EventActor {
  if (name === undefined || name === null) return SYSTEM;
  const [prefix, type] = NAMED_KINDS.find(([begin]) => name.startsWith(begin)) ?? ['', OPERATOR];
  return { type, id: name.slice(prefix.length) };
}

function nameOf({ type, id }: EventActor): string | null {
  const [prefix] = NAMED_KINDS.find(([, each]) => each === type) ?? [''];
  return id === null ? null : prefix + id;
}

/** Records an action on a tenant as the event that it is. `schema` is the registry's, quoted. */
export async function recordAction(
  executor: SqlExecutor,
  schema: string,
  tenantId: string,
  { action, actor, reason, details }: TenantAction,
): Promise<void> {
  const key = details?.key;
  await recordEvent(executor, schema, {
    tenantId,
    type: Object.hasOwn(ACTION_TYPES, action) ? ACTION_TYPES[action] : `tenant.${action}`,
    actor: actorNamed(actor),
    subject: typeof key === 'string' ? key : null,
    data: { ...details, reason },
  });
}

/** The audit tells what somebody did to a tenant's record. */
const NOT_IN_AUDIT = `'tenant.migrated', 'tenant.exported'`;

interface ActionRow {
  readonly id: string;
  readonly tenantId: string;
  readonly type: string;
  readonly actorType: string;
  readonly actorId: string | null;
  readonly data: { readonly reason?: string } & Readonly<Record<string, unknown>>;
  readonly at: Date;
}

/** What was done to a tenant, the latest first, as far as it has its place in the trail. */
export async function findActions(
  manager: EntityManager,
  schema: string,
  { tenantId, limit, beforeId }: AuditQuery,
): Promise<AuditRecord[]> {
  const rows = await manager.query<ActionRow[]>(
    // A tenant whose creation failed has no row.
    `SELECT position AS id, tenant_id AS "tenantId", type, actor_type AS "actorType", actor_id AS "actorId", data, occurred_at AS at
     FROM ${schema}.tenant_events WHERE tenant_id = $1 AND EXISTS (SELECT FROM ${schema}.tenants WHERE id = $1)
       AND (type = ANY ($2::text[]) OR pg_catalog.starts_with(type, 'tenant.') AND type NOT IN (${NOT_IN_AUDIT}))
       AND ($3::bigint IS NULL OR position < $3) ORDER BY position DESC LIMIT $4`,
    [tenantId, Object.values(ACTION_TYPES), beforeId ?? null, limit],
  );
  return rows.map(({ type, actorType, actorId, data: { reason = null, ...details }, ...row }) => ({
    ...row,
    action: ACTIONS.get(type) ?? type.slice('tenant.'.length),
    actor: nameOf({ type: actorType, id: actorId }),
    reason,
    details,
  }));
}

const ACTIONS = new Map(Object.entries(ACTION_TYPES).map(([action, type]) => [type, action]));
