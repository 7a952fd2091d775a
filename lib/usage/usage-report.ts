import type { StorageUsage } from './tenant-storage';
import type { StoredMonth } from './usage-rows';
import { daysBetween, indexInMonth } from './usage-time';
import type { QuotaPeriod } from './usage.options';

export interface MetricUsage {
  readonly metric: string;
  /** Of the days from `from` to `to`. */
  readonly total: number;
  /** Days on which something was counted. */
  readonly days: readonly { readonly day: string; readonly used: number }[];
  /** Whole months that have days from `from` to `to`. */
  readonly months: readonly { readonly month: string; readonly used: number }[];
}

/** A quota, and what has been used of it in the day or month of now. */
export interface QuotaUsage {
  readonly metric: string;
  readonly limit: number;
  readonly per: QuotaPeriod;
  readonly hard: boolean;
  readonly used: number;
  readonly remaining: number;
}

/** Of the tenants' connections of this instance, since it started. */
export interface ConnectionUsage {
  /** Lent to the tenant now. */
  readonly active: number;
  /** How long its statements have taken in all. */
  readonly queryMs: number;
}

/** What a tenant has used. Days are in UTC. */
export interface UsageReport {
  readonly tenantId: string;
  readonly from: string;
  readonly to: string;
  readonly metrics: readonly MetricUsage[];
  readonly quotas: readonly QuotaUsage[];
  /** `null` of a tenant that was purged. */
  readonly storage: StorageUsage | null;
  readonly connections: ConnectionUsage | null;
}

/** The days of a range, by metrics in the order of their names. */
export function metricsOf(rows: readonly StoredMonth[], from: string, to: string): MetricUsage[] {
  return [...new Set(rows.map(({ metric }) => metric))].map((metric) => {
    const months = new Map(
      rows.filter((row) => row.metric === metric).map((row) => [row.month.slice(0, 7), row]),
    );
    const days = daysBetween(from, to)
      .map((day) => ({ day, used: months.get(day.slice(0, 7))?.days[indexInMonth(day)] ?? 0 }))
      .filter(({ used }) => used !== 0);
    return {
      metric,
      total: days.reduce((sum, { used }) => sum + used, 0),
      days,
      months: [...months].map(([month, { total }]) => ({ month, used: total })),
    };
  });
}
