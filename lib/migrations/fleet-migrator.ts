import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { ADMIN_DATA_SOURCE } from '../connection/typeorm/tenant-data-source';
import { type NamedMigration, namedMigrations } from '../provisioning/template/named-migrations';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning/provisioning.options';
import { pendingOf, SharedMigrator } from '../provisioning/template/shared-migrator';
import { SpareRefill } from '../provisioning/spares/spare-refill';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { Template } from '../provisioning/template/template';
import { TemplateMigrator } from '../provisioning/template-migrator';
import { checkFleetOptions, type FleetMigrationOptions } from './fleet-migrator.options';
import { FleetMembers } from './fleet-members';
import type { FleetReport, FleetTally } from './fleet-report';
import { FleetRun, type FleetTask } from './fleet-run';
import { FleetStates } from './fleet-state';
import { FleetOutlook, findOddities } from './fleet-outlook';
import type { FleetStatus } from './fleet-status';
import { MigrationLedger } from './migration-ledger';
import type { MigrationPlan } from './migration-plan';
import { type MigrationRun, MigrationRuns, type RunDirection } from './migration-runs';
import { isUuid } from '../registry/uuid';
import { NothingToRevertError, UnknownMigrationError } from './migrations.errors';
import { UnfinishedResolver } from './unfinished-resolver';
import { RunLease } from './run-lease';

/** A run that works in the background. */
export interface StartedRun {
  /** `null`: there was nothing to do, and no run was recorded. */
  readonly runId: string | null;
  readonly finished: Promise<FleetReport>;
}

/** Brings every tenant to the version of the code, or back by one migration. */
@Injectable()
export class FleetMigrator {
  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly templateMigrator: TemplateMigrator,
    private readonly shared: SharedMigrator,
    private readonly template: Template,
    private readonly transactions: SystemTransactions,
    private readonly members: FleetMembers,
    private readonly states: FleetStates,
    private readonly outlook: FleetOutlook,
    private readonly ledger: MigrationLedger,
    private readonly runs: MigrationRuns,
    private readonly resolver: UnfinishedResolver,
    private readonly spares: SpareRefill,
    @Inject(PROVISIONING_OPTIONS) private readonly options: Pick<ProvisioningOptions, 'spares'>,
    private readonly fleet: FleetRun,
    private readonly lease: RunLease,
  ) {}

  /**
   * Runs pending migrations: on the template first, so that tenants made meanwhile come out right, then on every tenant
   * whatever its status, until none is behind. What failed is in the report, not thrown.
   *
   * @throws MigrationRunActiveError, TemplateMigrationError, RangeError for options out of bounds
   */
  async up(options: FleetMigrationOptions = {}): Promise<FleetReport> {
    const start = performance.now();
    const migrations = namedMigrations(this.dataSource.migrations);
    const checked = checkFleetOptions(options, this.#poolSize);
    const names = migrations.map(({ name }) => name);
    const { template: seen, behind, unnoted } = await this.states.read(names);
    const shared = await this.shared.survey();
    const warnings = findOddities(migrations, seen, shared);
    const isSharedDone = shared.every((each) => pendingOf(each).length === 0);
    if (isSharedDone && behind + unnoted === 0 && names.every((name) => seen.has(name)))
      return nothingToDo(names, warnings, start);
    return this.lease.hold('up', names, checked, async (runId, whyStop) => {
      const ofShared = await this.shared.migrate({ always: true });
      const template = await this.templateMigrator.migrate({ always: true });
      const task: FleetTask = { runId, direction: 'up', migrations, options: checked, whyStop };
      const tally = await this.fleet.visit(task);
      if (unnoted > 0) await this.transactions.run((manager) => this.ledger.writeVersions(manager));
      await this.#renewSpares(tally);
      return { ...(await this.#report(task, tally, template, start)), shared: ofShared, warnings };
    });
  }

  /**
   * Takes back the migration that the template has seen last: from every tenant, then from the template. Tenants made
   * meanwhile still have it, so the template goes last, when none is left.
   *
   * @throws NothingToRevertError, MigrationRunActiveError, RangeError for options out of bounds
   */
  async down(options: FleetMigrationOptions = {}): Promise<FleetReport> {
    const start = performance.now();
    const checked = checkFleetOptions(options, this.#poolSize);
    const last = await this.#lastSeen();
    return this.lease.hold('down', [last.name], checked, async (runId, whyStop) => {
      const task: FleetTask = { runId, direction: 'down', migrations: [last], options: checked, whyStop };
      for (;;) {
        const tally = await this.fleet.visit(task);
        if (tally.state !== 'done') return this.#report(task, tally, [], start);
        if (!(await this.#revertTemplate(last))) continue;
        await this.#renewSpares(tally);
        return this.#report(task, tally, [last.name], start);
      }
    });
  }

  /**
   * Takes back the migration that a shared schema has seen last, and gives its name. What tenants use of it PostgreSQL does
   * not let go.
   *
   * @throws NothingToRevertError, SharedMigrationError
   */
  async downShared(schemaName: string): Promise<string> {
    const name = await this.shared.revert(schemaName);
    if (name === undefined) {
      throw new NothingToRevertError(
        `the shared schema ${JSON.stringify(schemaName)} has seen none that is in the code’s sharedMigrations.`,
      );
    }
    return name;
  }

  /**
   * `up` or `down` in the background: resolves when the run has begun, or there is nothing to do.
   *
   * @throws what `up()` and `down()` throw before they begin
   */
  start(direction: RunDirection, options: FleetMigrationOptions = {}): Promise<StartedRun> {
    return new Promise((resolve, reject) => {
      const finished = this[direction]({ ...options, onBegin: (runId) => resolve({ runId, finished }) });
      finished.then(({ runId }) => resolve({ runId, finished }), reject);
    });
  }

  /** A run that works or has worked; `undefined` for an id that is no run's. */
  async findRun(id: string): Promise<MigrationRun | undefined> {
    return isUuid(id) ? this.runs.find(id) : undefined;
  }

  /** What `up()` would do, with its SQL. Nothing is changed, and no tenant waits. */
  plan(): Promise<MigrationPlan> {
    return this.outlook.plan();
  }

  /** How far each migration has come, and what stands in the way. */
  status(): Promise<FleetStatus> {
    return this.outlook.status();
  }

  /**
   * Says of a migration with `transaction = false` that did not come to its end what a person has found or mended: with
   * `done` all of it is there, with `rerun` nothing is, and the next run tries again. In one tenant (id or slug), or
   * wherever it waits for that, the template too. How many entries were settled.
   *
   * @throws UnknownMigrationError for a name that the code does not know, TenantNotFoundError, MigrationBusyError
   */
  async resolve(
    migration: string,
    outcome: 'done' | 'rerun',
    { tenant }: { readonly tenant?: string } = {},
  ): Promise<number> {
    const named = this.#find(migration);
    if (!named) throw new UnknownMigrationError(migration);
    if (outcome !== 'done' && outcome !== 'rerun') {
      throw new RangeError(`The outcome must be "done" or "rerun", got ${JSON.stringify(outcome)}.`);
    }
    return this.resolver.resolve(named, outcome, tenant);
  }

  /**
   * Says that a person knows of a migration that was edited after it ran, and of tenants that keep what it did then: from
   * now on its text of today is the one that counts. Whether it was edited.
   *
   * @throws UnknownMigrationError for a name that the code does not know
   */
  async acknowledge(migration: string): Promise<boolean> {
    const named = this.#find(migration);
    const ofShared = await this.shared.acknowledge(migration);
    if (!named && ofShared === undefined) throw new UnknownMigrationError(migration);
    const ofTemplate =
      named !== undefined &&
      (await this.transactions.run((manager) => this.template.acknowledge(manager, named)));
    return ofTemplate || ofShared === true;
  }

  #find(migration: string): NamedMigration | undefined {
    return namedMigrations(this.dataSource.migrations).find(({ name }) => name === migration);
  }

  /** Spares hold no rows, so they are dropped and cloned again, which verifies each of them. */
  async #renewSpares({ halted }: FleetTally): Promise<void> {
    if (halted !== undefined || this.options.spares.count === 0) return;
    await this.spares.refill();
  }

  #revertTemplate(last: NamedMigration): Promise<boolean> {
    return this.templateMigrator.revert(
      last,
      async (transaction) => (await this.members.count([last.name], 'having', transaction)) === 0,
    );
  }

  async #lastSeen(): Promise<NamedMigration> {
    const name = (await this.transactions.run((manager) => this.template.appliedMigrations(manager))).at(-1);
    if (name === undefined) throw new NothingToRevertError('the template has seen none.');
    const last = namedMigrations(this.dataSource.migrations).find((each) => each.name === name);
    if (!last) throw new NothingToRevertError(`the last one, ${name}, is not in the code.`);
    return last;
  }

  async #report(
    { runId, direction, migrations }: FleetTask,
    tally: FleetTally,
    template: readonly string[],
    start: number,
  ): Promise<FleetReport> {
    const names = migrations.map(({ name }) => name);
    const left = await this.members.count(names, direction === 'up' ? 'lacking' : 'having');
    const { state, done, skipped, failed, halted } = tally;
    return {
      ...{
        runId,
        direction,
        state,
        migrations: names,
        template,
        done,
        skipped,
        failed,
        halted,
        shared: [],
        warnings: [],
      },
      notReached: Math.max(0, left - failed.length),
      ms: Math.round(performance.now() - start),
    };
  }

  get #poolSize(): number {
    return (this.dataSource.options as { poolSize?: number }).poolSize ?? 10;
  }
}

function nothingToDo(migrations: readonly string[], warnings: readonly string[], start: number): FleetReport {
  return {
    ...{
      runId: null,
      direction: 'up',
      state: 'done',
      migrations,
      shared: [],
      template: [],
      done: 0,
      skipped: 0,
      failed: [],
    },
    ...{ notReached: 0, halted: undefined, warnings, ms: Math.round(performance.now() - start) },
  };
}
