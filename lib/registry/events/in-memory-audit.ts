import type { AuditQuery, AuditRecord, TenantAction } from './tenant-audit';

/** What was done to tenants, in this process. What goes in and what comes out are copies. */
export class InMemoryAudit {
  /** By tenant, the latest last. */
  private readonly records = new Map<string, AuditRecord[]>();
  private recorded = 0;

  constructor(private readonly now: () => Date) {}

  add(tenantId: string, given: TenantAction | undefined): void {
    if (!given) return;
    const { action, actor = null, reason = null, details = {} } = given;
    const record = { id: String(++this.recorded), tenantId, action, actor, reason, details, at: this.now() };
    const records = this.records.get(tenantId) ?? [];
    records.push(structuredClone(record));
    this.records.set(tenantId, records);
  }

  list({ tenantId, limit, beforeId }: AuditQuery): AuditRecord[] {
    return (this.records.get(tenantId.toLowerCase()) ?? [])
      .filter(({ id }) => beforeId === undefined || BigInt(id) < BigInt(beforeId))
      .slice(-limit)
      .reverse()
      .map((record) => structuredClone(record));
  }

  forget(tenantId: string): void {
    this.records.delete(tenantId);
  }
}
