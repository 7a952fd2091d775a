import { type Job, type JobsOptions, Queue, Worker } from 'bullmq';
import { TenantJobs } from '../lib/bullmq/tenant-jobs';
import { CheckedBullmqOptions } from '../lib/bullmq/bullmq.options';
import { FairPriorities } from '../lib/bullmq/fair-priorities';
import { HeldSchedulers } from '../lib/bullmq/held-schedulers';
import { JobPreparation } from '../lib/bullmq/job-preparation';
import { JobStamps } from '../lib/bullmq/job-stamps';
import { TenantQueue } from '../lib/bullmq/tenant-queue';
import { TenantContext } from '../lib/context/tenant-context';
import { TenantLookup } from '../lib/registry/cache/tenant-lookup';
import type { EventRecorder } from '../lib/registry/events/event-recorder';
import { InMemoryTenantStore } from '../lib/registry/store/in-memory-tenant.store';
import type { Tenant } from '../lib/registry/tenant';
import { TenantCarrier } from '../lib/resolution/carried/tenant-carrier';

/** What a job says of itself, so that one that runs for another tenant is noticed. */
export interface BenchJob {
  readonly owner: string;
  readonly number: number;
}

/** For whom the current code runs, as far as the variant knows. */
export type Handler = (job: Job<BenchJob>, slug: string | undefined) => Promise<void>;

export interface JobsVariant {
  readonly name: string;
  readonly worker: Worker<BenchJob>;
  add(tenant: Tenant, job: BenchJob): Promise<Job>;
  addBulk(tenant: Tenant, jobs: readonly BenchJob[], delayMs?: number): Promise<Job[]>;
  close(): Promise<void>;
}

export interface JobsSetting {
  readonly port: number;
  readonly queue: string;
  readonly concurrency: number;
  readonly handler: Handler;
}

/** Nothing is kept of a job that is done, so that no round finds more in Redis than another. */
const OPTIONS: JobsOptions = { removeOnComplete: true };

const bulk = (jobs: readonly BenchJob[], delay?: number) =>
  jobs.map((data) => ({ name: 'job', data, opts: delay === undefined ? OPTIONS : { ...OPTIONS, delay } }));

export function plainBullmq({ port, queue: name, concurrency, handler }: JobsSetting): JobsVariant {
  const connection = { host: '127.0.0.1', port };
  const queue = new Queue<BenchJob>(name, { connection });
  const worker = new Worker<BenchJob>(name, (job) => handler(job, undefined), { connection, concurrency });
  return {
    name: 'plain',
    worker,
    add: (_tenant, data) => queue.add('job', data, OPTIONS),
    addBulk: (_tenant, jobs, delayMs) => queue.addBulk(bulk(jobs, delayMs)),
    close: () => closed(queue, worker),
  };
}

/** The same as Nest puts it together, which is beside the point here: the plain variant has no Nest either. */
export async function oursOf(fleet: readonly Tenant[], setting: JobsSetting): Promise<JobsVariant> {
  const store = new InMemoryTenantStore();
  const tenants = new Map<string, Tenant>();
  for (const tenant of fleet) {
    await store.insert(tenant);
    tenants.set(tenant.id, (await store.find({ by: 'id', value: tenant.id }))!);
  }
  const context = new TenantContext(store);
  const lookup = new TenantLookup(store, {});
  const secret = 'a secret of the bench that is long enough';
  const carrier = new TenantCarrier({ resolvers: [], carryKeys: [{ id: '1', secret }] }, context, lookup);
  const [stamps, places] = [new JobStamps(carrier, context), new FairPriorities()];
  const options = new CheckedBullmqOptions();
  // No job of the bench fails.
  const recorder = { tell: () => Promise.resolve() } as unknown as EventRecorder;
  const jobs = new TenantJobs(options, stamps, places, new HeldSchedulers(), context, lookup, recorder);

  const { port, queue: name, concurrency, handler } = setting;
  const connection = { host: '127.0.0.1', port };
  const queue = new TenantQueue<BenchJob>(name, {
    connection,
    preparation: new JobPreparation(stamps, places, options),
  });
  const run = (job: Job<BenchJob>) => handler(job, context.tenant().slug);
  const worker = new Worker<BenchJob>(name, (job, lock) => jobs.process(job, lock, () => run(job)), {
    connection,
    concurrency,
  });
  const within = <T>({ id }: Tenant, work: () => T): T => context.run(tenants.get(id)!, work);
  return {
    name: 'ours',
    worker,
    add: (tenant, data) => within(tenant, () => queue.add('job', data, OPTIONS)),
    addBulk: (tenant, many, delayMs) => within(tenant, () => queue.addBulk(bulk(many, delayMs))),
    close: () => closed(queue, worker),
  };
}

/** What is under way is not waited for: of a flood there is no end. */
async function closed(queue: Queue, worker: Worker): Promise<void> {
  await worker.close(true);
  await queue.close();
}
