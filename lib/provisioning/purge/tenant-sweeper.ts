import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  Optional,
} from '@nestjs/common';
import { backgroundClock, CLOCK, type Clock } from '../../common/clock';
import { Servers } from '../../connection/servers/servers';
import { DEFAULT_SERVER } from '../../placement/place';
import type { Tenant } from '../../registry/tenant';
import { TenantStore } from '../../registry/store/tenant.store';
import { TypeOrmTenantStore } from '../../registry/store/typeorm-tenant.store';
import { HalfMade, type HalfMadeReport } from './half-made';
import { type OrphanReport, Orphans } from './orphans';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning.options';
import { PurgeRecords } from './purge-records';
import { SpareRefill } from '../spares/spare-refill';
import { SystemTransactions } from '../../connection/typeorm/system-transactions';
import { TenantPurge } from './tenant-purge';
import { Template } from '../template/template';
import { UnfinishedDatabases } from './unfinished-databases';
import { TenantRoles } from '../roles/tenant-roles';

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

const ORPHANS = ['dropped', 'withRows', 'unmarked'] as const;

/** The actor of a purge that the sweeper begins. */
const ACTOR = 'sweeper';

/** What a sweep did. */
export interface SweepReport {
  /** Slugs of the tenants that were purged, or whose purge was finished. */
  readonly purged: readonly string[];
  /** Half-made tenants that had a schema, and those that had none. */
  readonly halfMade: HalfMadeReport;
  /** Schemas that belong to no tenant. */
  readonly orphans: OrphanReport;
  /** What failed, in words; the next sweep tries it again. */
  readonly problems: readonly string[];
}

/**
 * Purges tenants that were deleted long enough ago, and finishes or undoes what a crash interrupted. Any instance may
 * do it: each step is taken under a lock, so that several at once do nothing twice.
 */
@Injectable()
export class TenantSweeper implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #logger = new Logger(TenantSweeper.name);
  #running: Promise<SweepReport> | undefined;
  #cancel: (() => void) | undefined;
  #closing = false;
  #toldUnmarked = '';

  constructor(
    private readonly transactions: SystemTransactions,
    private readonly store: TenantStore,
    private readonly records: PurgeRecords,
    private readonly purge: TenantPurge,
    private readonly halfMade: HalfMade,
    private readonly orphans: Orphans,
    private readonly databases: UnfinishedDatabases,
    private readonly refill: SpareRefill,
    private readonly roles: TenantRoles,
    private readonly servers: Servers,
    private readonly template: Template,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
    @Optional() @Inject(CLOCK) private readonly clock: Clock = backgroundClock,
  ) {}

  /**
   * All background work is started and stopped here. If spares and sweeper were stopped one after another, the second
   * would log errors.
   */
  onApplicationBootstrap(): void {
    const { count, databases } = this.options.spares;
    if (count > 0 || databases > 0) this.refill.start();
    if (this.options.sweeper.intervalMs > 0) this.#inBackground();
  }

  async onModuleDestroy(): Promise<void> {
    this.#closing = true;
    this.#cancel?.();
    await Promise.all([this.refill.stop(), this.#running?.catch(() => undefined)]);
  }

  /** Runs a sweep and returns its report. While one is running, all callers get the same report. */
  sweep(): Promise<SweepReport> {
    return (this.#running ??= this.#sweep().finally(() => {
      this.#running = undefined;
    }));
  }

  /** Runs one sweep after another, with the whole pause between the end of one and the beginning of the next. */
  #inBackground(): void {
    void this.sweep().then(({ problems, orphans }) => {
      // Errors during the shutdown are not logged, because the next start sweeps again.
      if (this.#closing) return;
      for (const problem of problems) this.#logger.warn(problem);
      this.#tellUnmarked(orphans.unmarked);
      if (orphans.withRows.length > 0) {
        this.#logger.warn(
          `Schemas that belong to no tenant have rows in them: ${orphans.withRows.join(', ')}. They are kept: adopt them, or drop them by hand.`,
        );
      }
      this.#cancel = this.clock.after(this.options.sweeper.intervalMs, () => this.#inBackground());
    });
  }

  /** Warned about once, and again when the list changes, because no sweep will change them. */
  #tellUnmarked(names: readonly string[]): void {
    const told = names.join(', ');
    if (told === this.#toldUnmarked) return;
    this.#toldUnmarked = told;
    if (told === '') return;
    this.#logger.warn(
      `Schemas with names like those of tenants are in no registry, and their comments do not say whose they are: ${told}. ` +
        'They are never touched: adopt them, or drop them by hand.',
    );
  }

  async #sweep(): Promise<SweepReport> {
    const problems: string[] = [];
    const note = (what: string, error: unknown) => {
      problems.push(
        `The sweeper could not ${what}: ${error instanceof Error ? error.message : String(error)}`,
      );
    };
    /** The result of `work`. If it fails, `otherwise`, and the sweep continues. */
    const attempt = async <T>(what: string, otherwise: T, work: () => Promise<T>): Promise<T> => {
      if (this.#closing) return otherwise;
      return work().catch((error: unknown) => {
        note(what, error);
        return otherwise;
      });
    };
    await attempt('mark schemas', [], () => this.orphans.markThoseOfBefore());
    const purged: string[] = [];
    const unfinished = await attempt('look for unfinished purges', [], () =>
      this.transactions.run((manager) => this.records.listUnfinished(manager)),
    );
    for (const id of unfinished) {
      const record = await attempt(`finish the purge of ${id}`, undefined, () => this.purge.finish(id));
      if (record) purged.push(record.slug);
    }
    const due = await attempt('look for deleted tenants', [], () => this.#dueForPurge());
    for (const { id, version } of due) {
      const record = await attempt(`purge ${id}`, undefined, () => this.#purgeUnchanged(id, version));
      if (record) purged.push(record.slug);
    }
    const halfMade = await attempt('settle half-made tenants', { activated: [], removed: [] }, () =>
      this.halfMade.sweep(note),
    );
    const orphans: Mutable<OrphanReport> = { dropped: [], withRows: [], unmarked: [] };
    for (const server of this.servers.names.filter((each) => this.template.isReadyOn(each))) {
      const at = server === DEFAULT_SERVER ? '' : ` on the server "${server}"`;
      const unfinished = await attempt(`look for unfinished databases${at}`, [], () =>
        this.databases.sweep(server, note),
      );
      orphans.dropped = [...orphans.dropped, ...unfinished];
      const found = await attempt(`look for orphans${at}`, undefined, () => this.orphans.sweep(server));
      for (const kind of ORPHANS) orphans[kind] = [...orphans[kind], ...(found?.[kind] ?? [])];
      await attempt(`give tenants their roles${at}`, [], () => this.roles.prepareAll(server));
      await attempt(`drop unused roles${at}`, [], () => this.roles.dropUnused(server));
    }
    await attempt('refill the spares', undefined, () => this.refill.refill());
    return { purged, halfMade, orphans, problems };
  }

  /** Deleted tenants that have not been changed for `purgeAfterMs`. */
  async #dueForPurge(): Promise<Tenant[]> {
    const { purgeAfterMs } = this.options.sweeper;
    if (purgeAfterMs === undefined) return [];
    const deadline = await this.#deadline(purgeAfterMs);
    const due: Tenant[] = [];
    for await (const tenant of this.store.each({ status: 'deleted' }))
      if (tenant.updatedAt.getTime() <= deadline) due.push(tenant);
    return due;
  }

  /**
   * Purges the tenant unless it was restored since the search, and perhaps deleted again: then its time begins again.
   */
  async #purgeUnchanged(id: string, version: number) {
    const tenant = await this.store.find({ by: 'id', value: id });
    return tenant?.version === version ? this.purge.purge(id, { actor: ACTOR }) : undefined;
  }

  /**
   * The deadline by the clock that wrote the tenants' times, rounded as these are. A store elsewhere may use another
   * clock than PostgreSQL's; then the deadline must also have passed by this process's clock.
   */
  async #deadline(ageMs: number): Promise<number> {
    const [{ at }] = await this.transactions.run((manager) =>
      manager.query<{ at: Date }[]>(
        `SELECT (pg_catalog.clock_timestamp() - $1 * interval '1 millisecond')::timestamptz(3) AS at`,
        [ageMs],
      ),
    );
    const deadline = at.getTime();
    return this.store instanceof TypeOrmTenantStore ? deadline : Math.min(deadline, Date.now() - ageMs);
  }
}
