import type { EntityManager } from 'typeorm';
import type { AuditQuery, AuditRecord, TenantAction } from './tenant-audit';
import { TenantAuditEntity } from './tenant-audit.entity';

/**
 * Records what was done. After the change itself: whoever holds the tenant's row decides the order, so that of the
 * records of one tenant is that of their commits.
 */
export async function insertAudit(
  manager: EntityManager,
  tenantId: string,
  { action, actor, reason, details }: TenantAction,
): Promise<void> {
  const row: object = { tenantId, action, actor, reason, details: { ...details } };
  await manager
    .createQueryBuilder()
    .insert()
    .into(TenantAuditEntity)
    .values(row)
    .updateEntity(false)
    .callListeners(false)
    .execute();
}

/** What was recorded of a tenant, the latest first. */
export async function findAudit(
  manager: EntityManager,
  { tenantId, limit, beforeId }: AuditQuery,
): Promise<AuditRecord[]> {
  const query = manager
    .createQueryBuilder(TenantAuditEntity, 'audit')
    .where('audit.tenantId = :tenantId', { tenantId })
    .orderBy('audit.id', 'DESC')
    .limit(limit)
    .callListeners(false);
  if (beforeId !== undefined) query.andWhere('audit.id < :beforeId', { beforeId });
  return (await query.getMany()).map((row) => ({ ...row }));
}
