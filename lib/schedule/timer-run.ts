import { Logger } from '@nestjs/common';
import type { Clock } from '../common/clock';
import { isOutage } from '../common/outage';
import type { TenantContext } from '../context/tenant-context';
import type { Tenant } from '../registry/tenant';
import type { TenantStore } from '../registry/store/tenant.store';
import type { DeclaredTimer } from './declared-timers';
import { type ClaimedRun, RunProgress } from './run-progress';
import { errorText, type TenantTimerRun } from './timer-report';
import type { TimerRows } from './timer-rows';

export interface RunSurroundings {
  readonly rows: Pick<TimerRows, 'save' | 'finish'>;
  readonly store: TenantStore;
  readonly context: TenantContext;
  readonly clock: Clock;
  readonly leaseMs: number;
}

const PAGE_SIZE = 100;

/** A page that is older is read again: a tenant on it may have been suspended. */
const PAGE_FRESH_MS = 1_000;

/** How often the position is written while it moves. */
const SAVE_MS = 250;

/** How long to wait before the list of tenants is read again while the registry is away. */
const RETRY_MS = 1_000;

/** Why a run begins no more tenants in this instance. */
type Stop = 'shutdown' | 'lost';

/** A run of a timer in this instance: its lease, its position, its tenants. */
export class TimerRun {
  readonly #logger = new Logger('Tenancy');
  readonly #progress: RunProgress;
  readonly #ending = new AbortController();
  #stop: Stop | undefined;
  #isOver = false;
  #renewedAt: number;
  #saving: Promise<void> = Promise.resolve();
  #callOff = (): void => undefined;
  /** Resolves when the run has ended here, or was given up, with its record if it has ended for all. */
  readonly ended: Promise<TenantTimerRun | undefined>;

  constructor(
    private readonly timer: DeclaredTimer,
    private readonly claim: ClaimedRun,
    private readonly around: RunSurroundings,
  ) {
    this.#progress = new RunProgress(claim);
    this.#renewedAt = around.clock.now();
    this.#beat();
    this.ended = this.#work();
  }

  /** Begins no more tenants, and tells those in flight. */
  stop(why: Stop = 'shutdown'): void {
    this.#stop ??= why;
    this.#ending.abort(new Error(`The timer "${this.timer.name}" has to end: ${why}.`));
  }

  /** Lets another instance go on at once, also with those that are still in flight here. */
  async release(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#callOff();
    await this.#saving;
    await this.#progress.written((position) => this.around.rows.save(this.claim, position, 0));
  }

  async #work(): Promise<TenantTimerRun | undefined> {
    const tenants = this.#tenants();
    const workers = Array.from({ length: this.timer.concurrency }, () => this.#worker(tenants));
    const outcomes = await Promise.allSettled(workers);
    const broken = outcomes.find((outcome) => outcome.status === 'rejected');
    if (this.#isOver) return undefined;
    if (this.#stop === 'shutdown') await this.release();
    this.#isOver = true;
    this.#callOff();
    if (this.#stop) return undefined;
    await this.#saving;
    const error = broken && errorText(broken.reason);
    return this.#progress.written((position) => this.around.rows.finish(this.claim, position, error));
  }

  async #worker(tenants: AsyncGenerator<Tenant>): Promise<void> {
    for (;;) {
      const next = await tenants.next();
      // One that it was given when it had to stop is in flight in the record, and comes first when the run goes on.
      if (next.done || this.#stop) return;
      await this.#runFor(next.value);
    }
  }

  async #runFor(tenant: Tenant): Promise<void> {
    const { fireAt } = this.claim;
    const call = { fireAt, signal: this.#ending.signal };
    try {
      await this.around.context.run(tenant, () => this.timer.call(tenant, call));
      this.#progress.end(tenant);
    } catch (error) {
      this.#progress.end(tenant, { error });
    }
  }

  /** Those that were in flight when the run was interrupted, and all that come after them in the order of ids. */
  async *#tenants(): AsyncGenerator<Tenant> {
    for (const id of this.#progress.interrupted) {
      const tenant = await this.#read(() => this.around.store.find({ by: 'id', value: id }));
      if (tenant?.status === 'active') yield tenant;
      else if (!this.#stop) this.#progress.drop(id);
    }
    const { store, clock } = this.around;
    for (;;) {
      const { afterId } = this.#progress;
      const page = await this.#read(() => store.list({ status: 'active', limit: PAGE_SIZE, afterId }));
      const readAt = clock.now();
      let given = 0;
      for (const tenant of page ?? []) {
        if (this.#stop || clock.now() - readAt > PAGE_FRESH_MS) break;
        this.#progress.begin(tenant);
        given++;
        yield tenant;
      }
      if (this.#stop || (given === page?.length && given < PAGE_SIZE)) return;
    }
  }

  /** Waits while the registry is away, for as long as the lease lasts. */
  async #read<T>(ask: () => Promise<T>): Promise<T | undefined> {
    while (!this.#stop) {
      try {
        return await ask();
      } catch (error) {
        if (!isOutage(error)) throw error;
        await new Promise<void>((resolve) => void this.around.clock.after(RETRY_MS, resolve));
      }
    }
    return undefined;
  }

  /** Writes the position while it moves, and renews the lease with it. */
  #beat(): void {
    const { clock, leaseMs } = this.around;
    if (this.#isOver) return;
    this.#callOff = clock.after(SAVE_MS, () => {
      const isDue = this.#progress.hasMoved || clock.now() - this.#renewedAt > leaseMs / 3;
      this.#saving = (isDue ? this.#save() : Promise.resolve()).finally(() => this.#beat());
    });
  }

  async #save(): Promise<void> {
    const { rows, clock, leaseMs } = this.around;
    const sentAt = clock.now();
    try {
      const isOurs = await this.#progress.written((position) => rows.save(this.claim, position, leaseMs));
      if (isOurs) this.#renewedAt = sentAt;
      else this.#lose('another instance has taken it over');
    } catch (error) {
      if (clock.now() - this.#renewedAt > leaseMs) this.#lose(`its lease was not renewed: ${String(error)}`);
    }
  }

  #lose(why: string): void {
    if (this.#stop) return;
    this.stop('lost');
    const { name, fireAt } = this.claim;
    this.#logger.warn(`The timer "${name}" of ${fireAt.toISOString()} begins no more tenants here: ${why}.`);
  }
}
