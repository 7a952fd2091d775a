import type { StorageUsage } from './tenant-storage';
import type { StoredMonth } from './usage-rows';
import { daysBetween, indexInMonth } from './usage-time';
import type { QuotaPeriod } from './usage.options';

export interface MetricUsage {
  readonly metric: string;
  /** Sum of the days from `from` to `to`. */
  readonly total: number;
  /** Days on which something was counted. */
  readonly days: readonly { readonly day: string; readonly used: number }[];
  /** Whole months with at least one day from `from` to `to`. */
  readonly months: readonly { readonly month: string; readonly used: number }[];
}

/** A quota, and how much of it was used in the current day or month. */
export interface QuotaUsage {
  readonly metric: string;
  readonly limit: number;
  readonly per: QuotaPeriod;
  readonly hard: boolean;
  readonly used: number;
  readonly remaining: number;
}

/** The tenant's connections in this instance, since it started. */
export interface ConnectionUsage {
  /** How many the tenant has checked out now. */
  readonly active: number;
  /** The time that its statements have taken in total. */
  readonly queryMs: number;
}

/** What a tenant has used. Days are in UTC. */
export interface UsageReport {
  readonly tenantId: string;
  readonly from: string;
  readonly to: string;
  readonly metrics: readonly MetricUsage[];
  readonly quotas: readonly QuotaUsage[];
  /** `null` for a tenant that was purged. */
  readonly storage: StorageUsage | null;
  readonly connections: ConnectionUsage | null;
}

/** The days of a range, by metric, sorted by the metrics' names. */
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
