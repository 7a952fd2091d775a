import { type BeforeApplicationShutdown, Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import type { Job, Queue, Worker } from 'bullmq';
import { providerClass } from '../common/provider-class';
import { NoAnswerError, within } from '../common/within';
import { OnTransition, type TenantTransitionHook } from '../provisioning/hooks/transition-hooks';
import type { TenantStep } from '../provisioning/provisioning.options';
import type { Tenant } from '../registry/tenant';
import { TenantCarrier } from '../resolution/carried/tenant-carrier';
import { CarryKeysMissingError } from '../resolution/carried/carried.errors';
import { ProcessorNotTenantsError } from './bullmq.errors';
import { FairPriorities } from './fair-priorities';
import { HeldSchedulers } from './held-schedulers';
import { claimedOwner } from './job-stamps';
import { isRedis } from './packages';
import { isOfTenants } from './tenant-processor.decorator';

/** Nest's metadata of `@Processor()`. */
const PROCESSOR = 'bullmq:processor_metadata';

const STATES = ['waiting', 'prioritized', 'delayed', 'waiting-children', 'completed', 'failed'] as const;
const PAGE = 1_000;

/** A client of Redis that is not connected waits for ever, and a purge must not. */
const ANSWER_TIMEOUT_MS = 30_000;

/** How often it is looked whether Redis is there, while the end of a worker is waited for. */
const CLOSE_LOOK_MS = 2_000;

/** The queues of this application whose jobs are tenants'. */
@Injectable()
@OnTransition()
export class TenantQueues implements TenantTransitionHook, BeforeApplicationShutdown, OnModuleInit {
  readonly #fair = new Map<string, boolean>();
  readonly #queues = new Set<Queue>();

  constructor(
    private readonly carrier: TenantCarrier,
    private readonly discovery: DiscoveryService,
    private readonly priorities: FairPriorities,
    private readonly held: HeldSchedulers,
  ) {}

  /** @throws CarryKeysMissingError */
  onModuleInit(): void {
    if (!this.carrier.hasKeys) throw new CarryKeysMissingError();
  }

  /**
   * Told of each queue before it is made.
   *
   * @throws ProcessorNotTenantsError when a processor of it knows of no tenants
   */
  declare(name: string, isFair: boolean): void {
    this.#fair.set(name, isFair);
    for (const { metatype, instance, name: processor } of this.#processorsOf(name)) {
      const prototype = (metatype?.prototype ?? Object.getPrototypeOf(instance)) as object;
      if (!isOfTenants(prototype)) throw new ProcessorNotTenantsError(processor, name);
    }
  }

  add(queue: Queue): void {
    this.#queues.add(queue);
  }

  /** `undefined`: it is none of this application's. */
  isFair(name: string): boolean | undefined {
    return this.#fair.get(name);
  }

  get all(): Iterable<Queue> {
    return this.#queues;
  }

  /** What some tenants have in a queue, in one state. */
  async jobsOf(queue: Queue, state: (typeof STATES)[number], tenantIds: ReadonlySet<string>): Promise<Job[]> {
    const jobs = (await this.#pages(queue, (start, end) => queue.getJobs(state, start, end))) as (
      Job | undefined
    )[];
    return jobs.flatMap((job) => (job && tenantIds.has(claimedOwner(job.opts) ?? '') ? [job] : []));
  }

  /** Removes all that a tenant has in the queues, but for what runs at the moment. @throws when a queue cannot be reached */
  async onTransition(tenant: Tenant, step: TenantStep): Promise<void> {
    if (step !== 'purge') return;
    for (const queue of this.#queues) await this.#empty(queue, tenant);
  }

  /** Jobs under way end while they still have a tenant and a database. Afterwards Nest would close the workers together with these. */
  async beforeApplicationShutdown(): Promise<void> {
    const workers = [...this.#fair.keys()].flatMap((name) =>
      this.#processorsOf(name).map(({ instance }) => (instance as { _worker?: Worker } | undefined)?._worker),
    );
    await Promise.all(workers.flatMap((worker) => (worker ? [closed(worker)] : [])));
  }

  async #empty(queue: Queue, { id }: Tenant): Promise<void> {
    const schedulers = await this.#pages(queue, (start, end) => queue.getJobSchedulers(start, end));
    for (const { key, template } of schedulers) {
      if (claimedOwner(template?.opts) !== id) continue;
      await inTime(queue, queue.removeJobScheduler(key));
      if (isRedis(queue.backend)) await inTime(queue, this.held.forget(queue.backend, key));
    }
    for (const state of STATES) {
      const own = await this.jobsOf(queue, state, new Set([id]));
      for (let start = 0; start < own.length; start += PAGE)
        await inTime(queue, Promise.all(own.slice(start, start + PAGE).map((job) => queue.remove(job.id!))));
    }
    const { backend } = queue;
    if (isRedis(backend)) await inTime(queue, this.priorities.forget(backend, id));
  }

  async #pages<T>(queue: Queue, page: (start: number, end: number) => Promise<T[]>): Promise<T[]> {
    const all: T[] = [];
    for (let start = 0; ; start += PAGE) {
      const found = await inTime(queue, page(start, start + PAGE - 1));
      all.push(...found);
      if (found.length < PAGE) return all;
    }
  }

  #processorsOf(queue: string) {
    return this.discovery
      .getProviders()
      .map((provider) => ({
        metatype: providerClass(provider),
        instance: provider.instance as unknown,
        name: String(provider.name),
      }))
      .filter(({ metatype }) => {
        const options =
          metatype && (Reflect.getMetadata(PROCESSOR, metatype) as { name?: string } | undefined);
        return options && (options.name ?? 'default') === queue;
      });
  }
}

/** Jobs under way are waited for, however long they take, but no server that is away: what it was not told it notices itself. */
async function closed(worker: Worker): Promise<void> {
  const closing = worker.close(!(await isThere(worker)));
  for (;;) {
    const isEnded = await within(CLOSE_LOOK_MS, closing).then(
      () => true,
      (error: unknown) => {
        if (error instanceof NoAnswerError) return false;
        throw error;
      },
    );
    if (isEnded) return;
    if (await isThere(worker)) continue;
    // It went meanwhile. Nest calls this once more.
    worker.close = () => Promise.resolve();
    return;
  }
}

async function isThere({ backend }: Worker): Promise<boolean> {
  if (!isRedis(backend)) return true;
  const client = backend.client.then(({ status }) => status === 'ready');
  return within(CLOSE_LOOK_MS, client).catch(() => false);
}

async function inTime<T>(queue: Queue, work: Promise<T>): Promise<T> {
  return within(ANSWER_TIMEOUT_MS, work).catch((error: unknown) => {
    if (!(error instanceof NoAnswerError)) throw error;
    throw new Error(`The queue "${queue.name}" did not answer within ${ANSWER_TIMEOUT_MS / 1000} s.`);
  });
}
