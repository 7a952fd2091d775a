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
import { isUuid } from '../registry/claim';
import { NothingToRevertError, UnknownMigrationError } from './migrations.errors';
import { UnfinishedResolver } from './unfinished-resolver';
import { RunLock } from './run-lock';

/** A run in the background. */
export interface StartedRun {
  /** `null` when there was nothing to do, so no run was recorded. */
  readonly runId: string | null;
  readonly finished: Promise<FleetReport>;
}

/** Migrates every tenant to the version of the code, or back by one migration. */
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
    private readonly lock: RunLock,
  ) {}

  /**
   * Runs pending migrations: first on the template, so that new tenants have them, then on every tenant whatever its
   * status, until no tenant lacks one. Failures are in the report; they are not thrown.
   *
   * @throws MigrationRunActiveError while another run works
   * @throws TemplateMigrationError when a migration fails on the template
   * @throws RangeError for options out of bounds
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
    return this.lock.hold('up', names, checked, async (runId, whyStop) => {
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
   * Reverts the last migration of the template: first in every tenant, then in the template. Tenants that are made in
   * the meantime still have it, so the template comes last.
   *
   * @throws NothingToRevertError when the template has none, or the code does not have the last one
   * @throws MigrationRunActiveError while another run works
   * @throws RangeError for options out of bounds
   */
  async down(options: FleetMigrationOptions = {}): Promise<FleetReport> {
    const start = performance.now();
    const checked = checkFleetOptions(options, this.#poolSize);
    const last = await this.#lastSeen();
    return this.lock.hold('down', [last.name], checked, async (runId, whyStop) => {
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
   * Reverts the last migration of a shared schema, and returns its name. PostgreSQL refuses it while tenants' objects
   * depend on what it made.
   *
   * @throws NothingToRevertError when the shared schema has no migration of the code
   * @throws SharedMigrationError when the migration fails
   */
  async downShared(schemaName: string): Promise<string> {
    const name = await this.shared.revert(schemaName);
    if (name === undefined) {
      throw new NothingToRevertError(
        `the shared schema ${JSON.stringify(schemaName)} has none of the code’s sharedMigrations.`,
      );
    }
    return name;
  }

  /**
   * `up` or `down` in the background. Resolves when the run has begun, or when there is nothing to do.
   *
   * @throws the errors that `up()` and `down()` throw before they begin
   */
  start(direction: RunDirection, options: FleetMigrationOptions = {}): Promise<StartedRun> {
    return new Promise((resolve, reject) => {
      const finished = this[direction]({ ...options, onBegin: (runId) => resolve({ runId, finished }) });
      finished.then(({ runId }) => resolve({ runId, finished }), reject);
    });
  }

  /** A run that is working or has ended; `undefined` when there is no run with this id. */
  async findRun(id: string): Promise<MigrationRun | undefined> {
    return isUuid(id) ? this.runs.find(id) : undefined;
  }

  /** What `up()` would do, with its SQL. Nothing is changed, and no tenant has to wait. */
  plan(): Promise<MigrationPlan> {
    return this.outlook.plan();
  }

  /** How many tenants each migration has reached, and what prevents it from going on. */
  status(): Promise<FleetStatus> {
    return this.outlook.status();
  }

  /**
   * Tells the outcome of a migration with `transaction = false` that did not end, after a person has checked it: with
   * `done` all of it was applied, with `rerun` nothing was, and the next run tries it again. It counts for one tenant
   * (id or slug), or for every place where it is unfinished, the template too. Returns how many entries were changed.
   *
   * @throws UnknownMigrationError for a name that the code does not have
   * @throws TenantNotFoundError when there is no such tenant
   * @throws MigrationBusyError while a run is working on it
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
   * Confirms that a person knows of a migration that was edited after it ran, and accepts that tenants keep what it did
   * then. From now on its current text counts as the one that ran. Returns whether it was edited.
   *
   * @throws UnknownMigrationError for a name that the code does not have
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

  /** Spares hold no rows, so they are dropped and cloned again. That also verifies each of them. */
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
    if (name === undefined) throw new NothingToRevertError('the template has none.');
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
    const { state, done, skipped, failed, halted } = tally;
    // A run is done when it has looked for another tenant and found none.
    const left =
      state === 'done' ? 0 : await this.members.count(names, direction === 'up' ? 'lacking' : 'having');
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
