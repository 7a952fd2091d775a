import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { orUnavailable } from '../common/outage';
import { DEFAULT_SERVER } from '../placement/place';
import { ADMIN_DATA_SOURCE } from '../connection/typeorm/tenant-data-source';
import { type NamedMigration, namedMigrations } from '../provisioning/template/named-migrations';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning/provisioning.options';
import { pendingOf } from '../provisioning/template/shared-migrator';
import { SpareRefill } from '../provisioning/spares/spare-refill';
import { checkFleetOptions, type FleetMigrationOptions } from './fleet-migrator.options';
import { type FleetReport, FleetTally, tellMoving } from './fleet-report';
import { FleetRun } from './fleet-run';
import { saysAway, ServerLeftOutError, tellLeftOut } from './fleet-servers';
import { type FleetState, FleetStates, type ServerState } from './fleet-state';
import type { FleetTask } from './fleet-task';
import { FleetTemplates } from './fleet-templates';
import { FleetVersions } from './fleet-versions';
import { FleetOutlook, findOddities } from './fleet-outlook';
import type { FleetStatus } from './fleet-status';
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
    private readonly templates: FleetTemplates,
    private readonly states: FleetStates,
    private readonly versions: FleetVersions,
    private readonly outlook: FleetOutlook,
    private readonly runs: MigrationRuns,
    private readonly resolver: UnfinishedResolver,
    private readonly spares: SpareRefill,
    @Inject(PROVISIONING_OPTIONS) private readonly options: Pick<ProvisioningOptions, 'spares'>,
    private readonly fleet: FleetRun,
    private readonly lock: RunLock,
  ) {}

  /**
   * Runs pending migrations: first on the template of each server, so that new tenants have them, then on every tenant
   * whatever its status, until no tenant lacks one. Failures are in the report; they are not thrown. A further server that is
   * away is left out, and the report says so.
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
    const state = await this.states.read(names);
    const warnings = findOddities(migrations, state);
    if (isUpToDate(names, state)) return nothingToDo(names, warnings, start);
    return this.lock.hold('up', names, checked, async ({ runId, hasWaited, whyStop }) => {
      const tally = new FleetTally();
      await this.fleet.leaveOutUnknown(tally);
      const ran = await this.templates.migrate(tally);
      const task: FleetTask = { runId, direction: 'up', migrations, options: checked, whyStop };
      await this.fleet.visit(task, tally, hasWaited ? undefined : state);
      for (const server of this.fleet.reached(tally)) {
        const before = state.servers.find((each) => each.server === server);
        // One that was away when the run began may be back.
        if (!before || before.unnoted > 0) await this.#putRight(server, tally);
      }
      await this.#renewSpares(tally);
      const report = await this.#report(task, tally, ran.template, start);
      return { ...report, shared: ran.shared, warnings: [...report.warnings, ...warnings] };
    });
  }

  /**
   * Reverts the last migration of the template: first in every tenant of every server, then in the templates. Tenants that
   * are made in the meantime still have it, so templates come last. While a server is away none is reverted.
   *
   * @throws NothingToRevertError when the template has none, or the code does not have the last one
   * @throws MigrationRunActiveError while another run works
   * @throws RangeError for options out of bounds
   */
  async down(options: FleetMigrationOptions = {}): Promise<FleetReport> {
    const start = performance.now();
    const checked = checkFleetOptions(options, this.#poolSize);
    const tally = new FleetTally();
    const last = await this.templates.lastSeen(tally);
    return this.lock.hold('down', [last.name], checked, async ({ runId, whyStop }) => {
      await this.fleet.leaveOutUnknown(tally);
      const task: FleetTask = { runId, direction: 'down', migrations: [last], options: checked, whyStop };
      const reverted: string[] = [];
      for (;;) {
        await this.fleet.visit(task, tally);
        if (tally.state !== 'done') break;
        // On the registry's server each migration has noted it itself.
        for (const server of this.fleet.reached(tally))
          if (server !== DEFAULT_SERVER) await this.#putRight(server, tally);
        if (await this.templates.revert(last, tally, reverted)) break;
      }
      if (reverted.length > 0) await this.#renewSpares(tally);
      return this.#report(task, tally, reverted, start);
    });
  }

  /**
   * Reverts the last migration of a shared schema on every server, and returns its name. PostgreSQL refuses it while tenants'
   * objects depend on what it made. While a server is away nothing is reverted.
   *
   * @throws NothingToRevertError when the shared schema has no migration of the code
   * @throws SharedMigrationError when the migration fails
   */
  async downShared(schemaName: string): Promise<string> {
    const name = await orCause(() => this.templates.revertShared(schemaName));
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
    return orCause(() => this.resolver.resolve(named, outcome, tenant));
  }

  /**
   * Confirms that a person knows of a migration that was edited after it ran, and accepts that tenants keep what it did
   * then. From now on its current text counts as the one that ran. Returns whether it was edited.
   *
   * @throws UnknownMigrationError for a name that the code does not have
   */
  async acknowledge(migration: string): Promise<boolean> {
    const changed = await orCause(() => this.templates.acknowledge(migration, this.#find(migration)));
    if (changed === undefined) throw new UnknownMigrationError(migration);
    return changed;
  }

  #find(migration: string): NamedMigration | undefined {
    return namedMigrations(this.dataSource.migrations).find(({ name }) => name === migration);
  }

  /** Spares hold no rows, so they are dropped and cloned again. That also verifies each of them. */
  async #renewSpares({ halted }: FleetTally): Promise<void> {
    if (halted !== undefined || this.options.spares.count === 0) return;
    await this.spares.refill().catch((error: unknown) => {
      // Those of a server that is away are made when it is back.
      if (!saysAway(error)) throw error;
    });
  }

  /** What is written of tenants' versions. A server that is away meanwhile is left out. */
  async #putRight(server: string, tally: FleetTally): Promise<void> {
    if (tally.leftOut.has(server)) return;
    try {
      await this.versions.putRight(server);
    } catch (error) {
      if (!(error instanceof ServerLeftOutError)) throw error;
      tally.leaveOut(server, error);
    }
  }

  async #report(
    task: FleetTask,
    tally: FleetTally,
    template: readonly string[],
    start: number,
  ): Promise<FleetReport> {
    const { runId, direction, migrations } = task;
    const names = migrations.map(({ name }) => name);
    // A run is done when it has looked for another tenant and found none.
    const notReached = tally.state === 'done' ? 0 : await this.fleet.countNotReached(task, tally);
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
        leftOut: [...tally.leftOut].map(([server, why]) => ({ server, why })),
        warnings: [
          ...[...tally.leftOut].map(([server, why]) => tellLeftOut(server, why)),
          ...(tally.moving.size > 0 ? [tellMoving([...tally.moving.values()])] : []),
        ],
      },
      notReached,
      ms: Math.round(performance.now() - start),
    };
  }

  get #poolSize(): number {
    return (this.dataSource.options as { poolSize?: number }).poolSize ?? 10;
  }
}

function isUpToDate(names: readonly string[], { servers, away }: FleetState): boolean {
  const isCurrent = ({ behind, unnoted, template, shared }: ServerState) =>
    behind + unnoted === 0 &&
    names.every((name) => template.has(name)) &&
    shared.every((each) => pendingOf(each).length === 0);
  return away.length === 0 && servers.every(isCurrent);
}

/** Who asked for one thing is told why it was not done. */
async function orCause<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ServerLeftOutError)) throw error;
    throw orUnavailable(`The server "${error.server}"`, error.cause);
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
    ...{ notReached: 0, halted: undefined, leftOut: [], warnings, ms: Math.round(performance.now() - start) },
  };
}
