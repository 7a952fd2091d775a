import { Injectable } from '@nestjs/common';
import type { IQueueBackend, RedisQueueBackend } from 'bullmq';
import { JobNotFairError } from './bullmq.errors';
import { FairPlaces } from './fair-places';
import { claimedOwner, JobStamps } from './job-stamps';

/** A job that is to be added, with whatever options its kind has. */
export interface NewJob<Options extends object> {
  readonly name: string;
  readonly data: unknown;
  readonly opts?: Options & { readonly tenantFree?: boolean };
}

interface Turn {
  readonly priority?: number;
  readonly lifo?: boolean;
  readonly delay?: number;
}

/** Gives new jobs their tenant, and their place among those of other tenants. */
@Injectable()
export class JobPreparation {
  constructor(
    private readonly stamps: JobStamps,
    private readonly places: FairPlaces,
  ) {}

  /**
   * The options of a job that takes no place, since there is one at a time.
   *
   * @throws TenantRequiredError without a tenant
   */
  stamped<Options extends object>(queue: string, { name, data, opts }: NewJob<Options>): Options {
    return this.stamps.stamped<Options>(queue, name, data, opts);
  }

  /**
   * The options of new jobs of one queue, in order.
   *
   * @param backend of the queue with fair turns; `undefined` without
   * @throws TenantRequiredError, JobNotFairError; nothing was added then
   */
  async prepared<Options extends object>(
    queue: string,
    backend: IQueueBackend | undefined,
    jobs: readonly NewJob<Options>[],
  ): Promise<Options[]> {
    const stamped = jobs.map((job) => this.stamped<Options>(queue, job));
    if (!backend || !isRedis(backend)) return stamped;
    for (const options of stamped) refuseOwnTurn(options, queue);
    const priorities = new Map<Options, number>();
    for (const [key, group] of grouped(stamped, groupOf)) {
      const isLater = key.endsWith(LATER);
      const owner = claimedOwner(group[0]);
      const places = await this.places.take(backend, { owner, count: group.length, isLater });
      group.forEach((options, index) => priorities.set(options, places[index]));
    }
    return stamped.map((options) => ({ ...options, priority: priorities.get(options) }));
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

const LATER = ' later';

function groupOf(options: object): string {
  return `${claimedOwner(options)}${((options as Turn).delay ?? 0) > 0 ? LATER : ''}`;
}

function refuseOwnTurn(options: object, queue: string): void {
  const { priority, lifo } = options as Turn;
  if (priority) throw new JobNotFairError(`the priority ${priority}`, queue);
  if (lifo) throw new JobNotFairError('lifo: true', queue);
}

/** The backend on PostgreSQL has no place to keep turns in. */
function isRedis(backend: IQueueBackend): backend is RedisQueueBackend {
  return 'client' in backend;
}
