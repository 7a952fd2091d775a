import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  Optional,
} from '@nestjs/common';
import { backgroundClock, CLOCK, type Clock } from '../common/clock';
import { SweepLoop, type SweepProblems } from '../common/sweep-loop';
import { isTenancyCli } from '../common/tenancy-cli';
import { EventTrail } from '../registry/events/event-trail';
import { TenantStore } from '../registry/store/tenant.store';
import { CheckedEventsOptions, EVENTS_OPTIONS, isDays } from './events.options';

const SWEEP_MS = 3_600_000;

/** What a sweep has come to. */
interface Sweep {
  readonly deleted: number;
  readonly problems: readonly string[];
}

/** Deletes what is older than `retentionDays`. Any number of instances may do so at once. */
@Injectable()
export class EventRetention implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #logger = new Logger('Tenancy');
  readonly #loop: SweepLoop<Sweep>;

  constructor(
    private readonly trail: EventTrail,
    private readonly store: TenantStore,
    @Inject(EVENTS_OPTIONS) private readonly options: CheckedEventsOptions,
    @Optional() @Inject(CLOCK) clock: Clock = backgroundClock,
  ) {
    this.#loop = new SweepLoop((problems) => this.#sweep(problems), clock);
  }

  onApplicationBootstrap(): void {
    if (isTenancyCli() || this.options.retentionDays === undefined) return;
    this.#loop.startLater(SWEEP_MS, ({ problems }) => {
      for (const problem of problems) this.#logger.warn(problem);
    });
  }

  onModuleDestroy(): Promise<void> {
    return this.#loop.stop();
  }

  /** Deletes them now, and returns how many. Without `retentionDays` there are none. */
  async sweep(): Promise<number> {
    return (await this.#loop.run()).deleted;
  }

  async #sweep(problems: SweepProblems): Promise<Sweep> {
    let deleted = 0;
    const all = async () => {
      for await (const tenantId of this.trail.tenants()) {
        const prune = async () => {
          const days = await this.#daysOf(tenantId);
          return days === undefined ? 0 : this.trail.prune(tenantId, days);
        };
        deleted += (await problems.attempt(`delete old events of ${tenantId ?? 'no tenant'}`, prune)) ?? 0;
      }
    };
    await problems.attempt('list whose events are there', all);
    return { deleted, problems: problems.list };
  }

  async #daysOf(tenantId: string | null): Promise<number | undefined> {
    const { retentionDays } = this.options;
    if (typeof retentionDays !== 'function') return retentionDays;
    const tenant = tenantId === null ? undefined : await this.store.find({ by: 'id', value: tenantId });
    const days = retentionDays(tenant);
    if (days === undefined || isDays(days)) return days;
    throw new RangeError(`retentionDays() returned ${String(days)}, which is no number of days from 1`);
  }
}
