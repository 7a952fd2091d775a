import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Job } from 'bullmq';
import { messageOf } from '../common/error-message';
import { storableText } from '../common/storable';
import { TenancyUnavailableError } from '../common/tenancy.errors';
import { TenantContext } from '../context/tenant-context';
import { TenantLookup } from '../registry/cache/tenant-lookup';
import { EventRecorder } from '../registry/events/event-recorder';
import type { Tenant } from '../registry/tenant';
import { TenantNotActiveError, TenantNotFoundError } from '../registry/tenant.errors';
import { CarriedTokenError } from '../resolution/carried/carried.errors';
import { BULLMQ_OPTIONS, CheckedBullmqOptions } from './bullmq.options';
import { FairPriorities, UNPLACED } from './fair-priorities';
import { HeldSchedulers } from './held-schedulers';
import { JobStamps, queueTime } from './job-stamps';
import { bullmq, isRedis } from './packages';

const { DelayedError, UnrecoverableError, WaitingError } = bullmq;

/** Thrown by a job that is to be tried again at a time, or when its children are done: it has not failed. */
const NOT_FAILED = ['DelayedError', 'WaitingError', 'WaitingChildrenError', 'RateLimitError'];

/** As much of an error's message is in the event. */
const MAX_ERROR_LENGTH = 500;

/** Tenants that are remembered to have held jobs. */
const MAX_HELD = 10_000;

/** Runs the jobs of tenants, each for its own. */
@Injectable()
export class TenantJobs {
  readonly #logger = new Logger('Tenancy');
  /** The tenants whose jobs this process has held, at most so many; others come back when they have waited. @internal */
  readonly held = new Set<string>();
  /** Of jobs that have run in this process. `null`: for nobody. */
  readonly #tenants = new WeakMap<Job, Tenant | null>();

  constructor(
    @Inject(BULLMQ_OPTIONS) private readonly options: CheckedBullmqOptions,
    private readonly stamps: JobStamps,
    private readonly priorities: FairPriorities,
    private readonly schedulers: HeldSchedulers,
    private readonly context: TenantContext,
    private readonly lookup: TenantLookup,
    private readonly events: EventRecorder,
  ) {}

  /**
   * Runs `work` for the tenant of a job, such as one that a listener of `QueueEvents` has fetched, and returns its result.
   *
   * @throws CarriedTokenError when the job is not as it was added
   * @throws TenantNotFoundError when its tenant was purged
   * @throws TenantNotActiveError when its tenant is suspended or deleted
   * @throws TenancyUnavailableError when the registry cannot be asked
   */
  async run<T>(job: Job, work: () => T): Promise<Awaited<T>> {
    const tenant = await this.#tenantOf(job);
    return await this.#within(tenant, work);
  }

  /** The same for a worker: a job that cannot run now is held, and one that never can fails at once. @internal */
  async process<T>(job: Job, lock: string | undefined, work: () => T): Promise<Awaited<T>> {
    if (job.priority === UNPLACED) await this.#awaitTurn(job, lock);
    const tenant = this.#served(job) ?? (await this.#admit(job, lock));
    this.#tenants.set(job, tenant ?? null);
    this.#signNewData(job, tenant);
    try {
      return await this.#within(tenant, work);
    } catch (error) {
      if (!NOT_FAILED.includes(nameOf(error))) await this.#hasFailed(job, tenant?.id, error);
      throw error;
    }
  }

  /**
   * Calls the listener of a worker's event for the tenant of its job. For nobody when the event has no job, or one whose
   * tenant is not served. @internal
   */
  observe(job: unknown, listener: () => unknown): unknown {
    if (!isJob(job)) return this.#within(undefined, listener);
    const known = this.#tenants.get(job);
    if (known !== undefined) return this.#within(known ?? undefined, listener);
    return this.#observeUnknown(job, listener);
  }

  /** An emitter does not wait for its listeners, nor hear of their failures. */
  async #observeUnknown(job: Job, listener: () => unknown): Promise<void> {
    try {
      const tenant = await this.#tenantOf(job).catch(() => undefined);
      await this.#within(tenant, listener);
    } catch (error) {
      this.#logger.error(error);
    }
  }

  #within<T>(tenant: Tenant | undefined, work: () => T): T {
    return tenant ? this.context.run(tenant, work) : this.context.runInFrame({}, work);
  }

  async #tenantOf(job: Job): Promise<Tenant | undefined> {
    const value = this.stamps.read(job);
    return value === undefined ? undefined : this.lookup.findActive({ by: 'id', value });
  }

  /** The tenant of most jobs: it is active, and remembered. Without a promise, of which each takes longer than reading the job. */
  #served(job: Job): Tenant | undefined {
    try {
      const value = this.stamps.read(job);
      const tenant = value === undefined ? undefined : this.lookup.remembered({ by: 'id', value });
      return tenant?.status === 'active' ? tenant : undefined;
    } catch {
      // Whatever is wrong with it, #admit() says.
      return undefined;
    }
  }

  async #admit(job: Job, lock: string | undefined): Promise<Tenant | undefined> {
    try {
      return await this.#tenantNow(job);
    } catch (error) {
      if (error instanceof CarriedTokenError) throw unrecoverable(error, error.message);
      if (error instanceof TenantNotFoundError) throw unrecoverable(error, PURGED);
      if (error instanceof TenantNotActiveError || error instanceof TenancyUnavailableError)
        return this.#hold(job, lock, error);
      throw error;
    }
  }

  /** @throws the same, after the registry was asked anew: a job that was just woken must not be held for what is remembered */
  async #tenantNow(job: Job): Promise<Tenant | undefined> {
    return this.#tenantOf(job).catch((error: unknown) => {
      if (!(error instanceof TenantNotActiveError)) throw error;
      this.lookup.forget({ id: this.stamps.read(job)! });
      return this.#tenantOf(job);
    });
  }

  async #hold(
    job: Job,
    lock: string | undefined,
    error: TenantNotActiveError | TenancyUnavailableError,
  ): Promise<never> {
    const { failHeldAfterMs, holdMinMs, holdMaxMs } = this.options;
    const now = await queueTime(job);
    const known = this.stamps.heldSince(job);
    const waited = now - (known ?? now);
    if (waited >= failHeldAfterMs) {
      const givenUp = unrecoverable(
        error,
        `${error.message} The job was held for ${Math.round(waited / 1000)} s.`,
      );
      await this.#tellGivenUp(job, this.stamps.read(job), givenUp);
      throw givenUp;
    }
    if (known === undefined) {
      if (error instanceof TenantNotActiveError && (await this.schedulers.hasOther(job)))
        throw dropped(job, error);
      await this.stamps.holdSince(job, now);
    }
    const owner = this.stamps.read(job);
    if (owner !== undefined && this.held.size < MAX_HELD) this.held.add(owner);
    await this.#loseTurn(job);
    // Not by this instance's clock, which may be a month ahead.
    await job.moveToDelayed(now + Math.min(Math.max(waited, holdMinMs), holdMaxMs), lock);
    await this.#wakeIfServed(job, owner);
    throw new DelayedError();
  }

  /** Whoever woke the tenant's jobs while this one was on its way has not seen it. */
  async #wakeIfServed(job: Job, owner: string | undefined): Promise<void> {
    const tenant = owner === undefined ? undefined : this.lookup.find({ by: 'id', value: owner });
    const isServed = (await tenant?.catch(() => undefined))?.status === 'active';
    // It comes back by itself, if this fails.
    if (isServed) await job.promote().catch(() => undefined);
  }

  /** A job that replaces its data, step by step, goes on with them after a failure. */
  #signNewData(job: Job, tenant: Tenant | undefined): void {
    const update = job.updateData.bind(job);
    job.updateData = (data: unknown) => this.stamps.replaceData(job, tenant, data, () => update(data));
  }

  async #hasFailed(job: Job, tenantId: string | undefined, error: unknown): Promise<void> {
    const isLast = nameOf(error) === 'UnrecoverableError' || job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
    if (isLast) await this.#tellGivenUp(job, tenantId, error);
    // Many that fail together would else all come back with the places that they had, in front of others: by themselves, or when
    // somebody retries them all. The handler's own error is told, whatever becomes of the place.
    await this.#loseTurn(job).catch(() => undefined);
  }

  async #tellGivenUp(job: Job, tenantId: string | undefined, error: unknown): Promise<void> {
    if (tenantId === undefined) return;
    const [name, id, text] = [job.name, job.id ?? '', messageOf(error).slice(0, MAX_ERROR_LENGTH)].map(
      storableText,
    );
    await this.events.tell({
      ...{ tenantId, type: 'job.gave-up', subject: id },
      data: { queue: job.queueName, name, attempts: job.attemptsMade + 1, error: text },
    });
  }

  /** A job whose time has come stands in front of all others, until it gets its place among them. */
  async #awaitTurn(job: Job, lock: string | undefined): Promise<void> {
    const { backend } = job as unknown as { backend: object };
    if (!this.stamps.isFair(job) || !isRedis(backend)) return;
    if (await this.priorities.place(backend, job.id!)) return;
    await job.moveToWait(lock);
    throw new WaitingError();
  }

  /** It gets a new place when it comes back to wait. */
  async #loseTurn(job: Job): Promise<void> {
    if (this.stamps.isFair(job)) await job.changePriority({ priority: UNPLACED });
  }
}

function nameOf(error: unknown): string {
  return String(((error ?? {}) as { name?: unknown }).name);
}

function isJob(value: unknown): value is Job {
  return value instanceof bullmq.Job;
}

/** BullMQ does not try such a job again. */
function unrecoverable(error: { readonly code: string }, message: string): Error {
  return Object.assign(new UnrecoverableError(`${error.code}: ${message}`), { cause: error });
}

/** Nothing is kept of it: as many would be as the scheduler fires. */
function dropped(job: Job, error: TenantNotActiveError): Error {
  Object.assign(job.opts, { removeOnFail: true });
  return unrecoverable(
    error,
    `${error.message} A job of the scheduler "${job.repeatJobKey}" is held already, and runs when the tenant is active again.`,
  );
}

const PURGED = 'The tenant of this job is not there any more: it was purged. The job was not run.';
