import { Injectable } from '@nestjs/common';
import { TenantBusyError } from '../common/tenancy.errors';
import { TenantContext } from '../context/tenant-context';
import type { Tenant } from '../registry/tenant';
import { TenantQuotas } from './tenant-quotas';
import { monthWith } from './usage-batch';
import { UsageRows } from './usage-rows';
import type { Quota } from './usage.options';

/**
 * How many reservations may wait for one counter, as many as one statement takes. More would wait for longer than a
 * request does.
 */
const MAX_WAITING = 1_000;

/** What a reservation counts against. */
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
 * Makes reservations in the registry, with one statement at a time for each counter. Requests that arrive during a
 * statement are gathered for the next one. So a thousand requests of one tenant cost a few statements, and those of
 * others wait for one of these at most.
 */
@Injectable()
export class Reservations {
  /** For each counter with a statement under way, the reservations that wait for the next. */
  readonly #waiting = new Map<string, Reservation[]>();

  constructor(
    private readonly rows: UsageRows,
    private readonly quotas: TenantQuotas,
    private readonly context: TenantContext,
  ) {}

  /**
   * Whether the quota allows it. If so, it is counted. Reservations are served in the order of their arrival.
   *
   * @throws TenantBusyError when 1,000 already wait for the same counter
   * @throws TenancyUnavailableError when the registry cannot be reached
   */
  take(counter: Counter, amount: number): Promise<boolean> {
    return new Promise((settle, fail) => {
      const key = keyOf(counter);
      const waiting = this.#waiting.get(key);
      const reservation = { amount, settle, fail };
      if (waiting && waiting.length >= MAX_WAITING) return fail(new TenantBusyError());
      if (waiting) return void waiting.push(reservation);
      this.#waiting.set(key, []);
      // The statement takes the tenant's turn at the registry, whatever context the caller runs in.
      void this.context.run(counter.tenant, () => this.#work(key, counter, [reservation]));
    });
  }

  async #work(key: string, counter: Counter, first: Reservation[]): Promise<void> {
    for (let gathered = first; gathered.length > 0; gathered = this.#waiting.get(key)!) {
      this.#waiting.set(key, []);
      try {
        await this.#grant(counter, gathered, Infinity);
      } catch (error) {
        // For a reservation that already has its answer this does nothing.
        for (const { fail } of gathered) fail(error);
      }
    }
    this.#waiting.delete(key);
  }

  /**
   * Answers all in their order, and returns the smallest amount that was refused, because that amount and greater ones
   * need not be tried again. When they do not fit together, each half is tried separately, so that few statements find
   * out which ones fit.
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
