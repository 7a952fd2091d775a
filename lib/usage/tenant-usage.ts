import { randomUUID } from 'node:crypto';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
  Optional,
} from '@nestjs/common';
import { backgroundClock, type Clock, CLOCK } from '../common/clock';
import type { ResourceMeter } from '../context/resource-meter';
import { TenantContext } from '../context/tenant-context';
import { RegistryTime } from '../registry/registry-time';
import type { Tenant } from '../registry/tenant';
import { checkMetric } from './metric';
import { RefusedCounts } from './refused-counts';
import { Reservations } from './reservations';
import { TenantQuotas } from './tenant-quotas';
import { UsageBatch } from './usage-batch';
import { dayOf, monthOf, secondsLeft } from './usage-time';
import { type NumberedBatch, type StoredMonth, UsageRows } from './usage-rows';
import { QuotaExceededError } from './usage.errors';
import { type CheckedUsageOptions, USAGE_OPTIONS, USAGE_TIME } from './usage.options';

/** Something that was counted before it was done. */
export interface UsageReservation {
  /** Takes the count back, because it was not done after all. Only the first call has an effect. */
  release(): void;
}

/**
 * Counts what tenants use. Counts are gathered, and written every `flushIntervalMs` and when the application shuts
 * down.
 */
@Injectable()
export class TenantUsage implements ResourceMeter, OnModuleInit, OnModuleDestroy, OnApplicationShutdown {
  readonly #logger = new Logger('Tenancy');
  readonly #instanceId = randomUUID();
  #waiting = new UsageBatch();
  /** A batch whose outcome is unknown. It is sent again unchanged, before everything that waits. */
  #sent?: NumberedBatch;
  /** The parts of a batch that was refused. They are sent before everything that waits. */
  #parts: UsageBatch[] = [];
  #batch = 0;
  #writing: Promise<void> = Promise.resolve();
  #callOff?: () => void;

  constructor(
    private readonly context: TenantContext,
    private readonly rows: UsageRows,
    private readonly quotas: TenantQuotas,
    private readonly reservations: Reservations,
    private readonly refused: RefusedCounts,
    @Inject(USAGE_OPTIONS) private readonly options: CheckedUsageOptions,
    time: RegistryTime,
    @Optional() @Inject(USAGE_TIME) private readonly now: () => Date = () => time.now(),
    @Optional() @Inject(CLOCK) private readonly clock: Clock = backgroundClock,
  ) {}

  /**
   * Counts what was done, whatever the quota says. Where a quota must hold, use `reserve`.
   *
   * @param metric 1 to 100 characters of `a-z A-Z 0-9 _ . -`, a letter first
   * @param amount an integer from 0 to 1,000,000,000,000
   * @param tenant default: the tenant for whom the code runs
   * @throws InvalidMetricError when the metric or the amount is not allowed
   * @throws TenantRequiredError when there is no tenant
   */
  count(metric: string, amount = 1, tenant: Tenant = this.context.tenant()): void {
    this.countUntilReleased(metric, amount, tenant);
  }

  /** Counts as `count` does, but the count can be taken back if the work was not done. @internal */
  countUntilReleased(metric: string, amount: number, tenant: Tenant): UsageReservation {
    checkMetric(metric, amount);
    const day = dayOf(this.now());
    if (amount > 0) this.#add(tenant, metric, day, amount);
    return this.#releasable(tenant, metric, day, amount);
  }

  /** How many counts PostgreSQL has refused for good since the start. Each was logged, and is not written. */
  get dropped(): number {
    return this.refused.dropped;
  }

  /** Whether the tenant's plan has a hard quota for the metric, so that a reservation may be refused. */
  hasHardQuota(metric: string, tenant: Tenant): boolean {
    const quota = this.quotas.of(tenant, metric);
    return quota?.hard === true && quota.per !== 'total';
  }

  /**
   * Counts, in the registry at once, what is about to be done, if a hard quota allows it. Without a hard quota it
   * counts as `count` does.
   *
   * @throws QuotaExceededError when the quota does not allow it
   * @throws TenantBusyError when 1,000 of the tenant's reservations already wait
   * @throws TenancyUnavailableError when the registry cannot be reached
   */
  async reserve(
    metric: string,
    amount = 1,
    tenant: Tenant = this.context.tenant(),
  ): Promise<UsageReservation> {
    checkMetric(metric, amount);
    const day = dayOf(this.now());
    const quota = this.quotas.of(tenant, metric);
    if (!quota?.hard || quota.per === 'total') return this.countUntilReleased(metric, amount, tenant);
    const isGranted = await this.reservations.take({ tenant, metric, day, quota }, amount);
    if (!isGranted) {
      const { quotaStatus } = this.options;
      throw new QuotaExceededError(metric, quota, quotaStatus, secondsLeft(quota.per, this.now()));
    }
    // Written soon, because until then the quota may refuse other requests.
    return this.#releasable(tenant, metric, day, amount, () => void this.flush());
  }

  /** @throws QuotaExceededError */
  admits(metric: string, total: number, tenant: Tenant): boolean {
    const quota = this.quotas.of(tenant, metric);
    if (!quota?.hard || quota.per !== 'total') return false;
    if (total > quota.limit) throw new QuotaExceededError(metric, quota, this.options.quotaStatus);
    return true;
  }

  #releasable(
    tenant: Tenant,
    metric: string,
    day: string,
    amount: number,
    released?: () => void,
  ): UsageReservation {
    let isReleased = false;
    return {
      release: () => {
        if (isReleased || amount === 0) return;
        isReleased = true;
        this.#add(tenant, metric, day, -amount);
        released?.();
      },
    };
  }

  /** Writes what has been counted. It never rejects: what could not be written is kept for the next time. */
  flush(): Promise<void> {
    this.#callOff?.();
    this.#callOff = undefined;
    // The counts of all tenants are written as work of the application itself, whatever context the caller runs in.
    return (this.#writing = this.#writing.then(() => this.context.runAsSystem(() => this.#writeAll())));
  }

  async onModuleInit(): Promise<void> {
    await this.rows.forgetInstances();
  }

  /** Requests are still answered after this. What they count is written in `onApplicationShutdown`. */
  async onModuleDestroy(): Promise<void> {
    await this.flush();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.flush();
    await this.quotas.settled();
    this.#callOff?.();
    if (this.#hasMore)
      this.#logger.error('The registry could not be reached at shutdown: the latest usage counts are lost.');
  }

  #add(tenant: Tenant, metric: string, day: string, amount: number): void {
    this.#waiting.add(tenant, metric, day, amount);
    this.#callOff ??= this.clock.after(this.options.flushIntervalMs, () => void this.flush());
  }

  get #hasMore(): boolean {
    return this.#sent !== undefined || this.#parts.length > 0 || !this.#waiting.isEmpty;
  }

  async #writeAll(): Promise<void> {
    while (this.#hasMore) {
      const batch = (this.#sent ??= this.#take());
      try {
        const sums = await this.rows.add(batch);
        this.#sent = undefined;
        this.#warn(batch.counts, sums);
      } catch (error) {
        const parts = this.refused.divide(batch.counts, error);
        if (!parts) return this.#keep(error as Error);
        this.#sent = undefined;
        this.#parts.unshift(...parts);
      }
    }
  }

  #keep({ message }: Error): void {
    this.#logger.warn(`Usage counts could not be written, and are kept: ${message}`);
    this.#callOff ??= this.clock.after(this.options.flushIntervalMs, () => void this.flush());
  }

  #take(): NumberedBatch {
    let counts = this.#parts.shift();
    if (!counts) {
      counts = this.#waiting;
      this.#waiting = new UsageBatch();
    }
    return { instanceId: this.#instanceId, batch: ++this.#batch, counts };
  }

  #warn(counts: UsageBatch, written: readonly StoredMonth[]): void {
    const today = dayOf(this.now());
    for (const sums of written) {
      const added = counts.find(sums.tenantId, sums.metric, sums.month);
      if (!added || sums.month !== monthOf(today)) continue;
      this.context.run(added.tenant, () => this.quotas.warn(added.tenant, today, added, sums));
    }
  }
}
