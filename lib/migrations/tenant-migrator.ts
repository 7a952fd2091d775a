import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { isOutage } from '../common/outage';
import { messageOf } from '../common/error-message';
import { sqlStateOf } from '../common/sql';
import { ADMIN_DATA_SOURCE } from '../connection/typeorm/tenant-data-source';
import { TenantContext } from '../context/tenant-context';
import { DEFAULT_SERVER, isBesideRegistry, placeOf, siteOf } from '../placement/place';
import {
  HeardStatements,
  explainPlace,
  MigrationProblem,
  runMigration,
} from '../provisioning/template/migration-run';
import type { NamedMigration } from '../provisioning/template/named-migrations';
import { OwnLedger } from '../provisioning/template/own-ledger';
import { SessionMigrations } from '../provisioning/template/session-migrations';
import { UnfinishedMigrations } from '../provisioning/template/unfinished-migrations';
import type { Tenant } from '../registry/tenant';
import type { ForeseenWork } from './lane-bundle';
import { WithdrawnError } from './lane-ending';
import { type LaneWork, MigrationLane } from './migration-lane';
import { PlainMigrations, PlainWatch } from './plain-migrations';
import { PreparedClaims } from './prepared-claims';
import { MigrationLedger } from './migration-ledger';
import type { RunDirection } from './migration-runs';

/** SQLSTATEs that say that somebody was in the way: deadlock_detected, serialization_failure, lock_not_available. */
const IN_THE_WAY = new Set(['40P01', '40001', '55P03']);

/** What holds for all tenants of a run. */
export interface TenantRunOptions {
  readonly runId: string;
  readonly direction: RunDirection;
  readonly lockTimeoutMs: number;
  /**
   * How often a migration is tried again when somebody was in the way (a deadlock, a lock that was not given in time) or
   * the connection was lost. One that says `transaction = false` is never tried again.
   */
  readonly retries: number;
}

/** One tenant's turn in a lane, which takes tenants one after the other. */
export interface LaneTurn {
  readonly lane: MigrationLane;
  /**
   * Called when all is done but the COMMIT of the last migration, which then travels with the beginning of what the lane
   * does next. Not called when it was sent at once.
   */
  readonly onHeld?: () => void;
}

/** What went wrong, and in which migration. */
export class TenantMigrationFailure extends Error {
  constructor(
    readonly migration: NamedMigration,
    override readonly cause: unknown,
    /** How many ran before it, and stay. */
    readonly done: number,
  ) {
    super(messageOf(cause));
  }
}

/** A tenant, and what is to run there, in the order of its age. */
export interface TenantTurn {
  readonly tenant: Tenant;
  readonly migrations: readonly NamedMigration[];
}

/** One migration of one tenant. */
interface Step {
  readonly tenant: Tenant;
  readonly migration: NamedMigration;
  readonly options: TenantRunOptions;
}

/**
 * Brings one tenant from one version to another: each migration, with its entry in the ledger, in one transaction of its
 * own, as PostgreSQL wants it of an enum's new value and of what uses it. What was done before a failure stays done.
 */
@Injectable()
export class TenantMigrator {
  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
    private readonly ledger: MigrationLedger,
    private readonly sessions: SessionMigrations,
    private readonly unfinished: UnfinishedMigrations,
    private readonly own: OwnLedger,
  ) {}

  readonly #claims = new PreparedClaims();

  /** For tenants one after the other. @param plain shared with the other lanes on that server */
  openLane(plain = new PlainMigrations()): MigrationLane {
    return new MigrationLane(this.dataSource, this.context, this.#claims, plain);
  }

  /**
   * How many ran, of migrations in the order of their age; after `up`, and on a further server after `down`, the caller is to
   * note the tenant's version. What another run has done meanwhile is left out.
   *
   * @throws TenantMigrationFailure; WithdrawnError when nothing has run because the COMMIT of the tenant before has failed
   */
  async run(
    tenant: Tenant,
    migrations: readonly NamedMigration[],
    options: TenantRunOptions,
    turn: LaneTurn,
  ): Promise<number> {
    if (siteOf(tenant).database === undefined) return this.#runAll(tenant, migrations, options, turn);
    let failure: unknown;
    // Each COMMIT is sent at once: the next tenant has another database, and the ledger is copied after the last.
    const done = await this.#runAll(tenant, migrations, options, { lane: turn.lane }).catch(
      (error: unknown) => {
        failure = error;
        return 0;
      },
    );
    const [copied] = await Promise.allSettled([this.own.copy(tenant)]);
    if (failure !== undefined) throw failure as Error;
    if (copied.status === 'rejected')
      throw new TenantMigrationFailure(migrations[0], copied.reason as unknown, done);
    return done;
  }

  async #runAll(
    tenant: Tenant,
    migrations: readonly NamedMigration[],
    options: TenantRunOptions,
    { lane, onHeld }: LaneTurn,
  ): Promise<number> {
    let done = 0;
    const ordered = inOrder(migrations, options);
    for (const migration of ordered) {
      const step: Step = { tenant, migration, options };
      const turn = { lane, onHeld: migration === ordered.at(-1) ? onHeld : undefined };
      try {
        const isOutside = migration.migration.transaction === false;
        const hasRun = await (isOutside ? this.#runOutside(step, lane) : this.#tryInside(step, turn));
        if (hasRun) done++;
      } catch (error) {
        if (error instanceof WithdrawnError) throw error;
        throw new TenantMigrationFailure(migration, error, done);
      }
    }
    return done;
  }

  /**
   * Whether a tenant may be run together with others: it shares its database with them, and all its migrations are such that
   * they need not be asked one tenant at a time, see `PlainMigrations`.
   */
  isPlain({ tenant, migrations }: TenantTurn, { plain }: MigrationLane): boolean {
    if (siteOf(tenant).database !== undefined) return false;
    return migrations.length > 0 && migrations.every((migration) => plain.has(migration));
  }

  /**
   * Runs plain migrations of several tenants in one message, one transaction for each migration. Gives how many of each
   * tenant's have run; the others are to be run by `run()`, which tells what is in the way.
   */
  async runTogether(
    turns: readonly TenantTurn[],
    options: TenantRunOptions,
    lane: MigrationLane,
  ): Promise<number[]> {
    let left = await lane.runTogether(
      turns.map(({ tenant, migrations }) => ({
        tenant,
        foresee: () => this.#foresee(tenant, migrations, options, lane),
      })),
    );
    return turns.map(({ migrations }) => {
      const done = Math.min(left, migrations.length);
      left -= done;
      return done;
    });
  }

  #foresee(
    tenant: Tenant,
    migrations: readonly NamedMigration[],
    options: TenantRunOptions,
    lane: MigrationLane,
  ): Promise<ForeseenWork[] | undefined> {
    return this.context.runUnborn(tenant, async () => {
      const works: ForeseenWork[] = [];
      for (const migration of inOrder(migrations, options)) {
        const texts = await lane.foresee(migration, options.direction);
        if (!texts) return undefined;
        works.push({ ...this.#beginning({ tenant, migration, options }), texts });
      }
      return works;
    });
  }

  /** False: somebody else has done it. */
  async #tryInside(step: Step, { lane, onHeld }: LaneTurn): Promise<boolean> {
    let isHeld = false;
    const holdOnce = () => {
      isHeld = true;
      onHeld?.();
    };
    for (let retriesLeft = step.options.retries; ; retriesLeft--) {
      try {
        // Once it was held the lane has gone on to the next.
        return await this.#runInside(step, { lane, onHeld: onHeld && !isHeld ? holdOnce : undefined });
      } catch (error) {
        if (retriesLeft <= 0 || !mayTryAgain(error)) throw error;
      }
    }
  }

  #runInside(step: Step, { lane, onHeld }: LaneTurn): Promise<boolean> {
    const { tenant, migration, options } = step;
    const heard = new HeardStatements();
    const watch = lane.plain.has(migration) ? undefined : new PlainWatch();
    return this.context.runUnborn(tenant, async () => {
      try {
        await lane.run({
          ...this.#beginning(step),
          run: (queryRunner) => {
            const run = () => runMigration(migration, options.direction, queryRunner, heard);
            return watch ? watch.run(run) : run();
          },
          watch,
          onHeld,
        });
        lane.plain.note(migration, watch?.texts);
        return true;
      } catch (error) {
        const refusal = this.ledger.refusalIn(error, tenant);
        if (refusal === 'taken') return false;
        if (refusal) throw refusal;
        explainPlace(error, heard);
        throw error;
      }
    });
  }

  /** What a step's transaction has beside the migration's own statements. */
  #beginning({ tenant, migration, options }: Step): Pick<LaneWork, 'tenant' | 'settings' | 'claim' | 'last'> {
    const { runId, direction, lockTimeoutMs } = options;
    return {
      tenant,
      // Nobody waits for the disk at the end of it: whatever is committed later, such as the end of the run, waits for
      // all that was committed before, and what a crash of the server takes until then it takes whole.
      settings: { synchronous_commit: 'off', lock_timeout: String(lockTimeoutMs) },
      claim: this.ledger.claim(direction, tenant, migration, runId),
      // Who asks for the version must not be told of what is no longer there. Last, so that nobody who changes the
      // tenant's row waits for a migration.
      last:
        direction === 'down' && isBesideRegistry(tenant)
          ? this.ledger.versionStatement(tenant.id)
          : undefined,
    };
  }

  /** False: somebody else has done it. */
  async #runOutside({ tenant, migration, options }: Step, lane: MigrationLane): Promise<boolean> {
    const { runId, direction, lockTimeoutMs } = options;
    await lane.settle();
    const { id, slug, schemaName } = tenant;
    const owner = { id, label: `tenant "${slug}"`, schemaName, site: siteOf(tenant) };
    const hasOwn = owner.site.database !== undefined;
    const isDown = direction === 'down';
    return this.context.run(tenant, () =>
      this.sessions.run({
        ...{ owner, migration, direction, lockTimeoutMs },
        begin: (transaction) =>
          this.unfinished.begin(transaction, tenant.id, migration, {
            runId,
            from: isDown ? 'done' : 'failed',
          }),
        complete: async (transaction) => {
          if (hasOwn) await this.own.note(tenant, migration, isDown ? 'undone' : 'done');
          await this.unfinished[isDown ? 'forget' : 'complete'](transaction, tenant.id, migration.name);
          if (placeOf(tenant).server === DEFAULT_SERVER)
            await this.ledger.writeVersion(transaction, tenant.id);
        },
      }),
    );
  }
}

function inOrder(
  migrations: readonly NamedMigration[],
  { direction }: TenantRunOptions,
): readonly NamedMigration[] {
  return direction === 'up' ? migrations : [...migrations].reverse();
}

/** A connection that was lost has taken its transaction along, or the ledger tells that it has not. */
function mayTryAgain(error: unknown): boolean {
  if (isOutage(error)) return true;
  const thrown = error instanceof MigrationProblem ? error.cause : error;
  return IN_THE_WAY.has(sqlStateOf(thrown) ?? '');
}
