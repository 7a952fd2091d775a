import type { Tenant } from '../registry/tenant';
import { indexInMonth, monthOf } from './usage-time';

/** What one tenant has used of one metric in one month, or an addition to it. */
export interface UsageMonth {
  readonly metric: string;
  /** Its first day. */
  readonly month: string;
  total: number;
  /** 31 entries, whatever the month. */
  readonly days: number[];
}

export interface CountedMonth extends UsageMonth {
  readonly tenant: Tenant;
}

/** A month with an amount on one day. */
export function monthWith(metric: string, day: string, amount: number): UsageMonth {
  const days = Array<number>(31).fill(0);
  days[indexInMonth(day)] = amount;
  return { metric, month: monthOf(day), total: amount, days };
}

/** Gathered counts: one entry for each tenant, metric and month. */
export class UsageBatch {
  readonly #months: Map<string, CountedMonth>;

  constructor(months: Iterable<readonly [string, CountedMonth]> = []) {
    this.#months = new Map(months);
  }

  get isEmpty(): boolean {
    return this.#months.size === 0;
  }

  get months(): readonly CountedMonth[] {
    return [...this.#months.values()];
  }

  add(tenant: Tenant, metric: string, day: string, amount: number): void {
    const key = keyOf(tenant.id, metric, monthOf(day));
    const known = this.#months.get(key);
    if (!known) {
      this.#months.set(key, { ...monthWith(metric, day, amount), tenant });
      return;
    }
    known.total += amount;
    known.days[indexInMonth(day)] += amount;
  }

  /** The same counts in two batches; an empty list when there is only one count. */
  halves(): UsageBatch[] {
    const entries = [...this.#months];
    const middle = Math.ceil(entries.length / 2);
    return entries.length < 2
      ? []
      : [new UsageBatch(entries.slice(0, middle)), new UsageBatch(entries.slice(middle))];
  }

  find(tenantId: string, metric: string, month: string): CountedMonth | undefined {
    return this.#months.get(keyOf(tenantId, metric, month));
  }
}

function keyOf(tenantId: string, metric: string, month: string): string {
  return `${tenantId} ${month} ${metric}`;
}
