import { Inject, Injectable, Optional } from '@nestjs/common';
import { ValidationFailedError } from '../common/tenancy.errors';
import { PoolStatistics } from '../connection/pool/pool-statistics';
import { HeldResources } from '../context/resource-meter';
import { RegistryTime } from '../registry/registry-time';
import type { Tenant } from '../registry/tenant';
import { TenantQuotas, usedOf } from './tenant-quotas';
import { TenantStorage } from './tenant-storage';
import { TenantUsage } from './tenant-usage';
import { metricsOf, type QuotaUsage, type UsageReport } from './usage-report';
import { UsageRows } from './usage-rows';
import { dayOf, daysBetween, isDay, monthOf } from './usage-time';
import { USAGE_TIME } from './usage.options';

const MAX_DAYS = 366;

/** Days in UTC, such as `2026-11-25`, both included. Default: this month until today. */
export interface UsageRange {
  readonly from?: string;
  readonly to?: string;
}

/** Reports what tenants have used: what this instance has counted, and what the others have already written. */
@Injectable()
export class UsageReports {
  constructor(
    private readonly usage: TenantUsage,
    private readonly rows: UsageRows,
    private readonly quotas: TenantQuotas,
    private readonly storage: TenantStorage,
    private readonly connections: PoolStatistics,
    time: RegistryTime,
    @Optional() @Inject(USAGE_TIME) private readonly now: () => Date = () => time.now(),
    @Optional() private readonly held?: HeldResources,
  ) {}

  /**
   * @throws ValidationFailedError for a range without days or with more than 366
   * @throws TenancyUnavailableError when the registry or the database cannot be reached
   */
  async of(tenant: Tenant, range: UsageRange = {}): Promise<UsageReport> {
    const counted = await this.#counted(tenant.id, range);
    const [quotas, storage] = [await this.#quotasOf(tenant), await this.storage.of(tenant)];
    const { active = 0, queryMs = 0 } = this.connections.ofTenant(tenant.id) ?? {};
    return { ...counted, quotas, storage, connections: { active, queryMs } };
  }

  /** Like `of`, for a tenant that was purged; `undefined` when nothing was ever counted under this id. */
  async ofPurged(tenantId: string, range: UsageRange = {}): Promise<UsageReport | undefined> {
    const counted = await this.#counted(tenantId, range);
    return (await this.rows.has(tenantId)) ? counted : undefined;
  }

  async #counted(tenantId: string, range: UsageRange): Promise<UsageReport> {
    const { from, to } = this.#checked(range);
    await this.usage.flush();
    const metrics = metricsOf(await this.rows.read(tenantId, from, to), from, to);
    return { tenantId, from, to, metrics, quotas: [], storage: null, connections: null };
  }

  async #quotasOf(tenant: Tenant): Promise<QuotaUsage[]> {
    const today = dayOf(this.now());
    const rows = await this.rows.read(tenant.id, today, today);
    const usages = Object.entries(this.quotas.all(tenant)).map(async ([metric, quota]) => {
      const row = rows.find((each) => each.metric === metric);
      const counted = row ? usedOf(quota, row, today) : 0;
      const used = quota.per === 'total' ? ((await this.held?.held(metric, tenant)) ?? 0) : counted;
      const { limit, per, hard = false } = quota;
      return { metric, limit, per, hard, used, remaining: Math.max(0, limit - used) };
    });
    return Promise.all(usages);
  }

  #checked({ from, to }: UsageRange): Required<UsageRange> {
    const today = dayOf(this.now());
    for (const [field, day] of Object.entries({ from, to }))
      if (day !== undefined && !isDay(day))
        throw new ValidationFailedError([{ field, message: 'must be a day such as 2026-11-25' }]);
    const range = { from: from ?? monthOf(to ?? today), to: to ?? today };
    const days = daysBetween(range.from, range.to).length;
    if (days === 0) throw new ValidationFailedError([{ field: 'from', message: 'must not be after to' }]);
    if (days > MAX_DAYS)
      throw new ValidationFailedError([
        { field: 'from', message: `must be at most ${MAX_DAYS} days before to` },
      ]);
    return range;
  }
}
