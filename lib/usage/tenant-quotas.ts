import { Inject, Injectable, Logger } from '@nestjs/common';
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

/** Which quotas a tenant has, and the calls of `onQuotaWarning`. */
@Injectable()
export class TenantQuotas {
  readonly #logger = new Logger('Tenancy');
  readonly #plans: TenantPlans<Quotas>;
  readonly #calls = new Set<Promise<void>>();

  constructor(@Inject(USAGE_OPTIONS) private readonly options: CheckedUsageOptions) {
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
    const quota = onQuotaWarning && this.of(tenant, sums.metric);
    if (!quota || quota.per === 'total') return;
    const used = usedOf(quota, sums, day);
    const from = warnAt * quota.limit;
    if (used < from || used - usedOf(quota, added, day) >= from) return;
    this.#call(onQuotaWarning, { tenant, metric: sums.metric, quota, used });
  }

  /** Resolves when all calls of `onQuotaWarning` have ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#calls);
  }

  #call(hook: NonNullable<CheckedUsageOptions['onQuotaWarning']>, warning: QuotaWarning): void {
    const call = Promise.resolve(warning)
      .then(hook)
      .catch((error: unknown) => this.#logger.error(`onQuotaWarning failed: ${String(error)}`))
      .finally(() => this.#calls.delete(call));
    this.#calls.add(call);
  }
}

/** What counts against a quota: the sum of the month, or of one of its days. */
export function usedOf({ per }: Quota, { total, days }: UsageMonth, day: string): number {
  return per === 'month' ? total : days[indexInMonth(day)];
}
