import type { AuditRecord, TenantAction } from '../registry/events/tenant-audit';
import { RedisRegistryDamagedError } from './redis.errors';

/** What the script keeps, behind the record's number and its time. */
export function writeAudit({ action, actor, reason, details = {} }: TenantAction): string {
  return JSON.stringify({ action, actor: actor ?? null, reason: reason ?? null, details });
}

/** @throws RedisRegistryDamagedError */
export function readAudit(tenantId: string, kept: unknown): AuditRecord {
  const [, id, at, json] = /^(\d+) (\d+) (\{.*\})$/s.exec(String(kept)) ?? [];
  if (json === undefined) throw new RedisRegistryDamagedError('a record of the audit cannot be read');
  const { action, actor, reason, details } = JSON.parse(json) as Omit<AuditRecord, 'id' | 'tenantId' | 'at'>;
  return { id, tenantId, action, actor, reason, details, at: new Date(Number(at)) };
}
