import { Injectable } from '@nestjs/common';
import type { IQueueBackend } from 'bullmq';
import { JobIdSharedError, JobNotFairError } from './bullmq.errors';
import { FairPriorities, ownerKey } from './fair-priorities';
import { JobStamps } from './job-stamps';
import { isRedis } from './packages';

/** A job that is to be added, with whatever options its kind has. */
export interface NewJob<Options extends object> {
  readonly name: string;
  readonly data: unknown;
  readonly opts?: Options & { readonly tenantFree?: boolean };
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
  ) {}

  /**
   * The options of a job that needs no priority, because there is only one of its kind at a time.
   *
   * @param schedulerId of the scheduler whose job it is
   * @throws TenantRequiredError without a tenant, JobIdSharedError
   */
  stamped<Options extends object>(
    queue: string,
    { name, data, opts }: NewJob<Options>,
    schedulerId?: string,
  ): Options {
    const stamped = this.stamps.stamped<Options>(queue, name, data, opts);
    const owner = opts?.tenantFree ? undefined : this.stamps.owner();
    if (owner !== undefined) refuseSharedIds(stamped, schedulerId, queue, owner);
    return stamped;
  }

  /**
   * The options of new jobs of one queue, in order.
   *
   * @param backend of the queue with fair turns; `undefined` without
   * @throws TenantRequiredError, JobIdSharedError, JobNotFairError; nothing was added then
   */
  async prepared<Options extends object>(
    queue: string,
    backend: IQueueBackend | undefined,
    jobs: readonly NewJob<Options>[],
  ): Promise<Options[]> {
    const stamped = jobs.map((job) => this.stamped<Options>(queue, job));
    if (!backend || !isRedis(backend)) return stamped;
    for (const options of stamped) refuseOwnOrder(options, queue);
    const owner = this.stamps.owner();
    const wanted = stamped.map((options, index) => ({
      options,
      owner: jobs[index].opts?.tenantFree ? undefined : owner,
      isLater: isForLater(options),
    }));
    for (const group of grouped(wanted, (each) => ownerKey(each.owner, each.isLater)).values()) {
      const given = await this.priorities.take(backend, { ...group[0], count: group.length });
      // They are ours: stamping has copied them.
      group.forEach(({ options }, index) => Object.assign(options, { priority: given[index] }));
    }
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

function isForLater(options: object): boolean {
  return ((options as OrderOptions).delay ?? 0) > 0;
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
