import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { messageOf } from '../common/error-message';
import { TenantEvents } from '../provisioning/hooks/tenant-events';
import { TenantLookup } from '../registry/cache/tenant-lookup';
import { TenantChangeFeed } from '../registry/changes/tenant-changes';
import { JobStamps } from './job-stamps';
import { TenantJobs } from './tenant-jobs';
import { TenantQueues } from './tenant-queues';

/** How many jobs are woken at once. */
const AT_ONCE = 100;

/**
 * Wakes the jobs that are held for a tenant when it is served again. The instance that activates it does, for the queues that it
 * has; and so does each that has held jobs of it, when it hears of the change, whoever made it.
 */
@Injectable()
export class HeldJobs implements OnModuleInit {
  readonly #logger = new Logger('Tenancy');

  constructor(
    private readonly jobs: TenantJobs,
    private readonly queues: TenantQueues,
    private readonly stamps: JobStamps,
    private readonly lookup: TenantLookup,
    private readonly events: TenantEvents,
    private readonly feed: TenantChangeFeed,
  ) {}

  onModuleInit(): void {
    // Not awaited: who activates a tenant does not wait for Redis.
    const wakeNow = ({ id }: { readonly id: string }) => void this.#look([id]);
    this.events.on('activated', wakeNow);
    this.events.on('restored', wakeNow);
    const lookAtAll = () => void this.#look([...this.jobs.held]);
    this.feed.subscribe({
      begun: lookAtAll,
      changed: (id) => {
        if (id === undefined) lookAtAll();
        else if (this.jobs.held.has(id)) void this.#look([id]);
      },
    });
  }

  /** Wakes the jobs of those that are active. What is not woken comes back by itself, when it has waited long enough. */
  async #look(ids: readonly string[]): Promise<void> {
    try {
      const tenants = await Promise.all(ids.map((value) => this.lookup.find({ by: 'id', value })));
      const active = new Set(tenants.flatMap((tenant) => (tenant?.status === 'active' ? [tenant.id] : [])));
      if (active.size > 0) await this.#wake(active);
      // A purge has removed the jobs of those that are gone.
      ids.forEach((id, index) => (active.has(id) || !tenants[index]) && this.jobs.held.delete(id));
    } catch (error) {
      this.#logger.warn(`Jobs that are held for their tenants could not be woken: ${messageOf(error)}`);
    }
  }

  async #wake(tenantIds: ReadonlySet<string>): Promise<void> {
    for (const queue of this.queues.all) {
      const delayed = await this.queues.jobsOf(queue, 'delayed', tenantIds);
      const held = delayed.filter((job) => this.stamps.heldSince(job) !== undefined);
      for (let start = 0; start < held.length; start += AT_ONCE)
        // Another instance may have woken it, or its time has come.
        await Promise.allSettled(held.slice(start, start + AT_ONCE).map((job) => job.promote()));
    }
  }
}
