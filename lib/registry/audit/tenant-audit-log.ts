import type { EntityManager } from 'typeorm';
import type { AuditQuery, AuditRecord, TenantAction } from './tenant-audit';
import { TenantAuditEntity } from './tenant-audit.entity';

/**
 * Records what was done. It runs after the change itself, so that the lock on the tenant's row decides the order, and
 * the records of one tenant are in the order of their commits.
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

/** The audit records of a tenant, the latest first. */
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
