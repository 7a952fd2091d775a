import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  Optional,
} from '@nestjs/common';
import { backgroundClock, CLOCK, type Clock } from '../../common/clock';
import { listed } from '../../common/listed';
import { SweepLoop, type SweepProblems } from '../../common/sweep-loop';
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

const ORPHANS = ['dropped', 'withRows', 'unmarked', 'kept'] as const;

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
  readonly #loop: SweepLoop<SweepReport>;
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
    @Optional() @Inject(CLOCK) clock: Clock = backgroundClock,
  ) {
    this.#loop = new SweepLoop((problems) => this.#sweep(problems), clock);
  }

  /**
   * All background work is started and stopped here. If spares and sweeper were stopped one after another, the second
   * would log errors.
   */
  onApplicationBootstrap(): void {
    const { count, databases } = this.options.spares;
    if (count > 0 || databases > 0) this.refill.start();
    const { intervalMs } = this.options.sweeper;
    if (intervalMs > 0) this.#loop.start(intervalMs, (report) => this.#tell(report));
  }

  async onModuleDestroy(): Promise<void> {
    await Promise.all([this.refill.stop(), this.#loop.stop()]);
  }

  /** Runs a sweep and returns its report. While one is running, all callers get the same report. */
  sweep(): Promise<SweepReport> {
    return this.#loop.run();
  }

  #tell({ problems, orphans }: SweepReport): void {
    for (const problem of problems) this.#logger.warn(problem);
    this.#tellUnmarked(orphans.unmarked);
    if (orphans.kept.length > 0) {
      this.#logger.warn(
        `The application's store knows no tenants of these schemas: ${listed(orphans.kept)}. None is dropped, because it may have ` +
          'lost them: restore the store, adopt the schemas, or drop them by hand.',
      );
    }
    if (orphans.withRows.length > 0) {
      this.#logger.warn(
        `Schemas that belong to no tenant have rows in them: ${orphans.withRows.join(', ')}. They are kept: adopt them, or drop them by hand.`,
      );
    }
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

  async #sweep(problems: SweepProblems): Promise<SweepReport> {
    const note = (what: string, error: unknown) => problems.note(what, error);
    await problems.attempt('mark schemas', () => this.orphans.markThoseOfBefore());
    const purged = [...(await this.#finishPurges(problems)), ...(await this.#purgeDue(problems))];
    const halfMade = await problems.attempt('settle half-made tenants', () => this.halfMade.sweep(note));
    const orphans: Mutable<OrphanReport> = { dropped: [], withRows: [], unmarked: [], kept: [] };
    for (const server of this.servers.names.filter((each) => this.template.isReadyOn(each))) {
      const at = server === DEFAULT_SERVER ? '' : ` on the server "${server}"`;
      const unfinished = await problems.attempt(`look for unfinished databases${at}`, () =>
        this.databases.sweep(server, note),
      );
      orphans.dropped = [...orphans.dropped, ...(unfinished ?? [])];
      const found = await problems.attempt(`look for orphans${at}`, () => this.orphans.sweep(server));
      for (const kind of ORPHANS) orphans[kind] = [...orphans[kind], ...(found?.[kind] ?? [])];
      await problems.attempt(`give tenants their roles${at}`, () => this.roles.prepareAll(server));
      await problems.attempt(`drop unused roles${at}`, () => this.roles.dropUnused(server));
    }
    await problems.attempt('refill the spares', () => this.refill.refill());
    return { purged, halfMade: halfMade ?? { activated: [], removed: [] }, orphans, problems: problems.list };
  }

  /** Returns their slugs. */
  async #finishPurges(problems: SweepProblems): Promise<string[]> {
    const unfinished = await problems.attempt('look for unfinished purges', () =>
      this.transactions.run((manager) => this.records.listUnfinished(manager)),
    );
    const purged: string[] = [];
    for (const id of unfinished ?? []) {
      const record = await problems.attempt(`finish the purge of ${id}`, () => this.purge.finish(id));
      if (record) purged.push(record.slug);
    }
    return purged;
  }

  /** Returns their slugs. */
  async #purgeDue(problems: SweepProblems): Promise<string[]> {
    const due = await problems.attempt('look for deleted tenants', () => this.#dueForPurge());
    const purged: string[] = [];
    for (const { id, version } of due ?? []) {
      const record = await problems.attempt(`purge ${id}`, () => this.#purgeUnchanged(id, version));
      if (record) purged.push(record.slug);
    }
    return purged;
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
