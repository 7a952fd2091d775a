import { Inject, Injectable } from '@nestjs/common';
import type { IQueueBackend } from 'bullmq';
import { NoAnswerError, within } from '../common/within';
import { JobIdSharedError, JobNotFairError, QueueUnavailableError } from './bullmq.errors';
import { BULLMQ_OPTIONS, CheckedBullmqOptions } from './bullmq.options';
import { FairPriorities, UNPLACED } from './fair-priorities';
import { JobStamps } from './job-stamps';
import { isRedis } from './packages';

/** A job that is to be added, with whatever options its kind has. */
export interface NewJob<Options extends object> {
  readonly name: string;
  readonly data: unknown;
  readonly opts?: Options & { readonly tenantFree?: boolean };
  /** Whether it waits for others: for its children. */
  readonly isParent?: boolean;
}

interface OrderOptions {
  readonly priority?: number;
  readonly lifo?: boolean;
  readonly delay?: number;
}

interface IdOptions {
  readonly jobId?: unknown;
  readonly deduplication?: { readonly id?: unknown };
}

/** Gives new jobs their tenant, and their priority among those of other tenants. */
@Injectable()
export class JobPreparation {
  constructor(
    private readonly stamps: JobStamps,
    private readonly priorities: FairPriorities,
    @Inject(BULLMQ_OPTIONS) private readonly options: CheckedBullmqOptions,
  ) {}

  /** What adding jobs gives. @throws QueueUnavailableError when there is no answer in time */
  async added<T>(queue: string, adding: Promise<T>): Promise<T> {
    return this.#answered(queue, adding, true);
  }

  /**
   * The options of a scheduler's jobs, which get their places when they fire.
   *
   * @param backend of the queue with fair turns; `undefined` without
   * @throws TenantRequiredError without a tenant, JobIdSharedError, JobNotFairError
   */
  scheduled<Options extends object>(
    queue: string,
    backend: IQueueBackend | undefined,
    job: NewJob<Options>,
    schedulerId: string,
  ): Options {
    const isFair = backend !== undefined && isRedis(backend);
    const stamped = this.#stamped(queue, job, isFair, schedulerId);
    return isFair ? { ...stamped, priority: UNPLACED } : stamped;
  }

  /**
   * The options of new jobs of one queue, in order.
   *
   * @param backend of the queue with fair turns; `undefined` without
   * @throws TenantRequiredError, JobIdSharedError, JobNotFairError, QueueUnavailableError; nothing was added then
   */
  async prepared<Options extends object>(
    queue: string,
    backend: IQueueBackend | undefined,
    jobs: readonly NewJob<Options>[],
  ): Promise<Options[]> {
    if (!backend || !isRedis(backend)) return jobs.map((job) => this.#stamped(queue, job, false));
    const stamped = jobs.map((job) => this.#stamped(queue, job, true));
    const wanted = stamped.map((options, index) => ({ options, job: jobs[index] }));
    const isForLater = ({ options, job }: (typeof wanted)[number]) =>
      job.isParent === true || ((options as OrderOptions).delay ?? 0) > 0;
    // They are ours: stamping has copied them.
    for (const { options } of wanted.filter(isForLater)) Object.assign(options, { priority: UNPLACED });
    const now = wanted.filter((each) => !isForLater(each));
    const owner = this.stamps.owner();
    for (const group of grouped(now, ({ job }) => String(job.opts?.tenantFree ?? false)).values()) {
      const groupOwner = group[0].job.opts?.tenantFree ? undefined : owner;
      const taking = this.priorities.take(backend, groupOwner, group.length);
      const given = await this.#answered(queue, taking, false);
      group.forEach(({ options }, index) => Object.assign(options, { priority: given[index] }));
    }
    return stamped;
  }

  /** A client of Redis that is not connected waits for ever, and so would the request. */
  async #answered<T>(queue: string, answer: Promise<T>, isSent: boolean): Promise<T> {
    const { addTimeoutMs } = this.options;
    return within(addTimeoutMs, answer).catch((error: unknown) => {
      throw error instanceof NoAnswerError ? new QueueUnavailableError(queue, addTimeoutMs, isSent) : error;
    });
  }

  #stamped<Options extends object>(
    queue: string,
    { name, data, opts }: NewJob<Options>,
    isFair: boolean,
    schedulerId?: string,
  ): Options {
    const stamped = this.stamps.stamped<Options>(queue, name, data, { options: opts, isFair });
    const owner = opts?.tenantFree ? undefined : this.stamps.owner();
    if (owner !== undefined) refuseSharedIds(stamped, schedulerId, queue, owner);
    if (isFair) refuseOwnOrder(stamped, queue);
    return stamped;
  }
}

/** In the order in which they come. */
export function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

/** Ids are the queue's: with one that another tenant has given, BullMQ adds no job, or replaces that tenant's scheduler. */
function refuseSharedIds(options: object, schedulerId: unknown, queue: string, owner: string): void {
  const { jobId, deduplication } = options as IdOptions;
  const ids = { jobId, 'deduplication.id': deduplication?.id, "scheduler's id": schedulerId };
  for (const [what, id] of Object.entries(ids)) {
    if (id === undefined || id === null || id === '') continue;
    const text = typeof id === 'string' ? id : JSON.stringify(id);
    if (!text.includes(owner)) throw new JobIdSharedError(what, text, queue, owner);
  }
}

function refuseOwnOrder(options: object, queue: string): void {
  const { priority, lifo } = options as OrderOptions;
  if (priority) throw new JobNotFairError(`the priority ${priority}`, queue);
  if (lifo) throw new JobNotFairError('lifo: true', queue);
}
