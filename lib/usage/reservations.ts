import { Injectable } from '@nestjs/common';
import { TenantBusyError } from '../common/tenancy.errors';
import { TenantContext } from '../context/tenant-context';
import type { Tenant } from '../registry/tenant';
import { TenantQuotas } from './tenant-quotas';
import { monthWith } from './usage-batch';
import { UsageRows } from './usage-rows';
import type { Quota } from './usage.options';

/** Of one counter: as many as one statement takes. A flood beyond it would wait for longer than a request does. */
const MAX_WAITING = 1_000;

/** What reservations are for. */
export interface Counter {
  readonly tenant: Tenant;
  readonly metric: string;
  readonly day: string;
  readonly quota: Quota;
}

interface Reservation {
  readonly amount: number;
  readonly settle: (isGranted: boolean) => void;
  readonly fail: (error: unknown) => void;
}

/**
 * Reserves in the registry, for each counter by one statement at a time: what comes while one is under way is gathered
 * for the next, so that a thousand requests of one tenant cost a few statements, and others' wait for one of them.
 */
@Injectable()
export class Reservations {
  /** Of counters with a statement under way: those that wait for the next. */
  readonly #waiting = new Map<string, Reservation[]>();

  constructor(
    private readonly rows: UsageRows,
    private readonly quotas: TenantQuotas,
    private readonly context: TenantContext,
  ) {}

  /**
   * Whether the quota allows it: then it is counted. Whoever came first is served first.
   *
   * @throws TenantBusyError when 1,000 of the same counter wait already, and TenancyUnavailableError
   */
  take(counter: Counter, amount: number): Promise<boolean> {
    return new Promise((settle, fail) => {
      const key = keyOf(counter);
      const waiting = this.#waiting.get(key);
      const reservation = { amount, settle, fail };
      if (waiting && waiting.length >= MAX_WAITING) return fail(new TenantBusyError());
      if (waiting) return void waiting.push(reservation);
      this.#waiting.set(key, []);
      // Whoever asks, it is the tenant's turn at the registry that it takes.
      void this.context.run(counter.tenant, () => this.#work(key, counter, [reservation]));
    });
  }

  async #work(key: string, counter: Counter, first: Reservation[]): Promise<void> {
    for (let gathered = first; gathered.length > 0; gathered = this.#waiting.get(key)!) {
      this.#waiting.set(key, []);
      try {
        await this.#grant(counter, gathered, Infinity);
      } catch (error) {
        // Those that have been answered by then are not answered again.
        for (const { fail } of gathered) fail(error);
      }
    }
    this.#waiting.delete(key);
  }

  /**
   * Answers all, in their order, and gives the smallest amount that was refused: no more is asked for that or more. When
   * not all fit together, the first half is asked for by itself, so that only the last statements tell one from another.
   */
  async #grant(counter: Counter, wanted: readonly Reservation[], refused: number): Promise<number> {
    const asked = wanted.filter(({ amount }) => amount < refused);
    for (const { amount, settle } of wanted) if (amount >= refused) settle(false);
    if (asked.length === 0) return refused;
    const sum = asked.reduce((total, { amount }) => total + amount, 0);
    if (await this.#add(counter, sum)) {
      for (const { settle } of asked) settle(true);
      return refused;
    }
    if (asked.length === 1) {
      asked[0].settle(false);
      return sum;
    }
    const middle = Math.ceil(asked.length / 2);
    const afterFirst = await this.#grant(counter, asked.slice(0, middle), refused);
    return this.#grant(counter, asked.slice(middle), afterFirst);
  }

  async #add({ tenant, metric, day, quota }: Counter, amount: number): Promise<boolean> {
    const sums = await this.rows.reserve(tenant.id, metric, { amount, day, quota });
    if (!sums) return false;
    this.quotas.warn(tenant, day, monthWith(metric, day, amount), sums);
    return true;
  }
}

function keyOf({ tenant, metric, day, quota }: Counter): string {
  return `${tenant.id} ${metric} ${day} ${quota.per} ${quota.limit}`;
}
