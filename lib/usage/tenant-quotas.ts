import { Inject, Injectable, Logger } from '@nestjs/common';
import { EventRecorder } from '../registry/events/event-recorder';
import type { Tenant } from '../registry/tenant';
import { TenantPlans } from '../registry/tenant-plans';
import type { UsageMonth } from './usage-batch';
import { indexInMonth } from './usage-time';
import {
  type CheckedUsageOptions,
  type Quota,
  type Quotas,
  type QuotaWarning,
  USAGE_OPTIONS,
} from './usage.options';

/** Which quotas a tenant has, the calls of `onQuotaWarning`, and the events of those that were reached. */
@Injectable()
export class TenantQuotas {
  readonly #logger = new Logger('Tenancy');
  readonly #plans: TenantPlans<Quotas>;
  readonly #calls = new Set<Promise<void>>();

  constructor(
    @Inject(USAGE_OPTIONS) private readonly options: CheckedUsageOptions,
    private readonly recorder: EventRecorder,
  ) {
    this.#plans = new TenantPlans(options);
  }

  all(tenant: Tenant): Quotas {
    return this.#plans.termsOf(tenant);
  }

  of(tenant: Tenant, metric: string): Quota | undefined {
    const quotas = this.all(tenant);
    return Object.hasOwn(quotas, metric) ? quotas[metric] : undefined;
  }

  /**
   * Calls `onQuotaWarning` when a sum has just reached the part of its quota at which to warn. The registry adds one
   * count after another, so exactly one of them is the one that reaches it. It never throws, because the sum is already
   * written.
   */
  warn(tenant: Tenant, day: string, added: UsageMonth, sums: UsageMonth): void {
    try {
      this.#warn(tenant, day, added, sums);
    } catch (error) {
      this.#logger.error(
        `The quotas of the tenant "${tenant.slug}" could not be checked for a warning: ${String(error)}`,
      );
    }
  }

  #warn(tenant: Tenant, day: string, added: UsageMonth, sums: UsageMonth): void {
    const { onQuotaWarning, warnAt } = this.options;
    const quota = this.of(tenant, sums.metric);
    if (!quota || quota.per === 'total') return;
    const used = usedOf(quota, sums, day);
    const before = used - usedOf(quota, added, day);
    const hasReached = (sum: number) => used >= sum && before < sum;
    if (hasReached(quota.limit)) this.#await(this.#tell(tenant, sums.metric, quota, used));
    if (onQuotaWarning && hasReached(warnAt * quota.limit))
      this.#call(onQuotaWarning, { tenant, metric: sums.metric, quota, used });
  }

  #tell({ id }: Tenant, metric: string, { limit, per, hard = false }: Quota, used: number): Promise<void> {
    return this.recorder.tell({
      ...{ tenantId: id, type: 'quota.reached', subject: metric },
      data: { metric, limit, per, hard, used },
    });
  }

  /** Resolves when all calls of `onQuotaWarning` have ended, and all events are recorded. */
  async settled(): Promise<void> {
    await Promise.all(this.#calls);
  }

  #call(hook: NonNullable<CheckedUsageOptions['onQuotaWarning']>, warning: QuotaWarning): void {
    this.#await(
      Promise.resolve(warning)
        .then(hook)
        .catch((error: unknown) => this.#logger.error(`onQuotaWarning failed: ${String(error)}`)),
    );
  }

  #await(work: Promise<void>): void {
    const call = work.finally(() => this.#calls.delete(call));
    this.#calls.add(call);
  }
}

/** What counts against a quota: the sum of the month, or of one of its days. */
export function usedOf({ per }: Quota, { total, days }: UsageMonth, day: string): number {
  return per === 'month' ? total : days[indexInMonth(day)];
}
