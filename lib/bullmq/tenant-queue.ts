import type {
  BulkJobOptions,
  Job,
  JobSchedulerTemplateOptions,
  JobsOptions,
  QueueOptions,
  RepeatOptions,
} from 'bullmq';
import { NoAnswerError, within } from '../common/within';
import type { JobPreparation } from './job-preparation';
import type { TenantJobsOptions } from './job-stamps';
import { bullmq } from './packages';

const { Queue } = bullmq;

/** How long the end of an application waits for a queue's server. */
const CLOSE_MS = 5_000;

/** Marks an option of a job that belongs to no tenant. */
type MaybeFree<Options> = Options & Pick<TenantJobsOptions, 'tenantFree'>;

/** What a queue of ours is given beside what BullMQ's is. */
export interface TenantQueueSettings {
  /**
   * Whether the tenants have fair turns, however many jobs each has added: by the priorities of the jobs, which can be given
   * none of their own then. Default true. Not on PostgreSQL.
   */
  readonly fair?: boolean;
}

export type TenantQueueOptions = QueueOptions &
  TenantQueueSettings & { readonly preparation: JobPreparation };

/** BullMQ's queue, whose jobs carry the tenant of the code that adds them. */
export class TenantQueue<Data = unknown, Result = unknown, Name extends string = string> extends Queue<
  Data,
  Result,
  Name,
  Data,
  Result,
  Name
> {
  readonly isFair: boolean;
  readonly #preparation: JobPreparation;

  constructor(name: string, { preparation, fair = true, ...options }: TenantQueueOptions) {
    super(name, options);
    this.#preparation = preparation;
    this.isFair = fair;
  }

  /**
   * @throws TenantRequiredError without a tenant, unless `tenantFree: true`
   * @throws JobIdSharedError for a `jobId` or `deduplication.id` without the tenant's id in it
   * @throws JobNotFairError for a priority of the job's own, in a queue with fair turns
   * @throws QueueUnavailableError when the queue's server does not answer in time
   */
  override add(name: Name, data: Data, opts?: MaybeFree<JobsOptions>): Promise<Job<Data, Result, Name>> {
    return super.add(name, data, opts);
  }

  protected override async addJob(
    name: Name,
    data: Data,
    opts?: MaybeFree<JobsOptions>,
  ): Promise<Job<Data, Result, Name>> {
    const [prepared] = await this.#prepared<JobsOptions>([{ name, data, opts }]);
    return this.#preparation.added(this.name, super.addJob(name, data, prepared));
  }

  /** @throws the same as `add`, for all of them */
  override async addBulk(
    jobs: { name: Name; data: Data; opts?: MaybeFree<BulkJobOptions> }[],
  ): Promise<Job<Data, Result, Name>[]> {
    const prepared = await this.#prepared<BulkJobOptions>(jobs);
    const adding = super.addBulk(
      jobs.map(({ name, data }, index) => ({ name, data, opts: prepared[index] })),
    );
    return this.#preparation.added(this.name, adding);
  }

  /** Each of its jobs runs for the tenant of the code that has upserted it, whose id must be in the scheduler's. @throws as `add` */
  override async upsertJobScheduler(
    jobSchedulerId: Name,
    repeatOpts: Omit<RepeatOptions, 'key'>,
    template: { name?: Name; data?: Data; opts?: MaybeFree<JobSchedulerTemplateOptions> } = {},
  ): Promise<Job<Data, Result, Name>> {
    const { name = jobSchedulerId, data } = template;
    const opts = this.#preparation.scheduled<JobSchedulerTemplateOptions>(
      this.name,
      this.#fairBackend,
      { name, data: data ?? {}, opts: template.opts },
      jobSchedulerId,
    );
    const adding = super.upsertJobScheduler(jobSchedulerId, repeatOpts, { name, data, opts });
    return this.#preparation.added(this.name, adding);
  }

  /** Ends also while Redis is away, which BullMQ would wait for. */
  override async close(): Promise<void> {
    const closed = super.close();
    await within(CLOSE_MS, closed).catch((error: unknown) => {
      if (!(error instanceof NoAnswerError)) throw error;
    });
  }

  #prepared<Options extends object>(
    jobs: readonly { name: string; data: unknown; opts?: MaybeFree<Options> }[],
  ): Promise<Options[]> {
    const withDefaults = jobs.map((job) => ({
      ...job,
      opts: { ...this.jobsOpts, ...job.opts } as MaybeFree<Options>,
    }));
    return this.#preparation.prepared<Options>(this.name, this.#fairBackend, withDefaults);
  }

  get #fairBackend() {
    return this.isFair ? this.backend : undefined;
  }
}
