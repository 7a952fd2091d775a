import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type QueryRunner } from 'typeorm';
import { isOutage } from '../common/outage';
import { ADMIN_DATA_SOURCE } from '../connection/typeorm/tenant-data-source';
import { TenantContext } from '../context/tenant-context';
import {
  HeardStatements,
  explainPlace,
  MigrationProblem,
  runMigration,
} from '../provisioning/template/migration-run';
import type { NamedMigration } from '../provisioning/template/named-migrations';
import { SessionMigrations } from '../provisioning/template/session-migrations';
import { UnfinishedMigrations } from '../provisioning/template/unfinished-migrations';
import type { Tenant } from '../registry/tenant';
import { MigrationLane, WithdrawnError } from './migration-lane';
import { PreparedClaims } from './prepared-claims';
import { MigrationLedger } from './migration-ledger';
import type { RunDirection } from './migration-runs';

/** SQLSTATEs that say that somebody was in the way: deadlock_detected, serialization_failure, lock_not_available. */
const IN_THE_WAY = new Set(['40P01', '40001', '55P03']);

export interface TenantRunOptions {
  readonly runId: string;
  readonly lockTimeoutMs: number;
  /**
   * How often it is tried again when somebody was in the way (a deadlock, a lock that was not given in time) or the
   * connection was lost. A migration that says `transaction = false` is never tried again.
   */
  readonly retries: number;
  /** Where it runs, one tenant after the other. */
  readonly lane: MigrationLane;
  /**
   * Called when all is done but the end of the last migration, which then travels with the beginning of what the lane does
   * next. Not called when it has ended by itself.
   */
  readonly onHeld?: () => void;
}

/** A migration that ran in a tenant, and for how long. */
export interface MigrationDone {
  readonly name: string;
  readonly ms: number;
}

/** What went wrong, in which migration, and what was done before it and stays. */
export class TenantMigrationFailure extends Error {
  constructor(
    readonly migration: NamedMigration,
    override readonly cause: unknown,
    readonly done: readonly MigrationDone[],
  ) {
    super(cause instanceof Error ? cause.message : String(cause));
  }
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
  ) {}

  readonly #claims = new PreparedClaims();

  /** For tenants one after the other. */
  openLane(): MigrationLane {
    return new MigrationLane(this.dataSource, this.context, this.#claims);
  }

  /**
   * What ran, of migrations in the order in which they are to run; after `up` the caller is to note the tenant's version.
   * What another run has brought meanwhile is left out.
   *
   * @throws TenantMigrationFailure; WithdrawnError when nothing has run because the end of the tenant before has failed
   */
  async run(
    tenant: Tenant,
    direction: RunDirection,
    migrations: readonly NamedMigration[],
    options: TenantRunOptions,
  ): Promise<MigrationDone[]> {
    const done: MigrationDone[] = [];
    const ordered = direction === 'up' ? migrations : [...migrations].reverse();
    for (const each of ordered) {
      const onHeld = each === ordered.at(-1) ? options.onHeld : undefined;
      const run = each.migration.transaction === false ? this.#runOutside : this.#attempt;
      try {
        const ms = await run.call(this, tenant, direction, each, { ...options, onHeld });
        if (ms !== undefined) done.push({ name: each.name, ms });
      } catch (error) {
        if (error instanceof WithdrawnError) throw error;
        throw new TenantMigrationFailure(each, error, done);
      }
    }
    return done;
  }

  /** How long it took; `undefined`: somebody else has done it. */
  async #attempt(
    tenant: Tenant,
    direction: RunDirection,
    migration: NamedMigration,
    options: TenantRunOptions,
  ): Promise<number | undefined> {
    let isHeld = false;
    const onHeld = () => {
      isHeld = true;
      options.onHeld?.();
    };
    for (let retriesLeft = options.retries; ; retriesLeft--) {
      // The lane has gone on to the next when it was held.
      const mayHold = options.onHeld !== undefined && !isHeld;
      try {
        return await this.#runInside(tenant, direction, migration, {
          ...options,
          onHeld: mayHold ? onHeld : undefined,
        });
      } catch (error) {
        if (retriesLeft <= 0 || !mayTryAgain(error)) throw error;
      }
    }
  }

  async #runInside(
    tenant: Tenant,
    direction: RunDirection,
    named: NamedMigration,
    { runId, lockTimeoutMs, lane, onHeld }: TenantRunOptions,
  ): Promise<number | undefined> {
    const heard = new HeardStatements();
    // Nobody waits for the disk at the end of it: whatever is committed later, such as the end of the run, waits for all
    // that was committed before, and what a crash of the server takes until then it takes whole.
    const settings = { synchronous_commit: 'off', lock_timeout: String(lockTimeoutMs) };
    const claim = this.ledger.claim(direction, tenant, named, runId);
    // Whoever asks for the version must not be told of what is no longer there. Last, so that nobody who changes the
    // tenant's row waits for a migration.
    const last = direction === 'down' ? this.ledger.versionStatement(tenant.id) : undefined;
    const run = async (queryRunner: QueryRunner) => {
      await runMigration(named, direction, queryRunner, heard);
    };
    return this.context.runUnborn(tenant, async () => {
      try {
        return await lane.run({ tenant, settings, claim, run, last, onHeld });
      } catch (error) {
        const refusal = this.ledger.refusalIn(error, tenant);
        if (refusal === 'taken') return undefined;
        if (refusal) throw refusal;
        explainPlace(error, heard);
        throw error;
      }
    });
  }

  async #runOutside(
    tenant: Tenant,
    direction: RunDirection,
    migration: NamedMigration,
    { runId, lockTimeoutMs, lane }: TenantRunOptions,
  ): Promise<number | undefined> {
    await lane.settle();
    const start = performance.now();
    const owner = { id: tenant.id, label: `tenant "${tenant.slug}"`, schemaName: tenant.schemaName };
    const isDown = direction === 'down';
    const ran = await this.context.run(tenant, () =>
      this.sessions.run({
        ...{ owner, migration, direction, lockTimeoutMs },
        begin: (transaction) =>
          this.unfinished.begin(transaction, tenant.id, migration, {
            runId,
            from: isDown ? 'done' : 'failed',
          }),
        complete: async (transaction) => {
          await this.unfinished[isDown ? 'forget' : 'complete'](transaction, tenant.id, migration.name);
          await this.ledger.writeVersion(transaction, tenant.id);
        },
      }),
    );
    return ran ? performance.now() - start : undefined;
  }
}

/** A connection that was lost has taken its transaction along, or the ledger tells that it has not. */
function mayTryAgain(error: unknown): boolean {
  if (isOutage(error)) return true;
  const thrown = error instanceof MigrationProblem ? error.cause : error;
  const { code, driverError } = (thrown ?? {}) as { code?: unknown; driverError?: { code?: unknown } };
  return [code, driverError?.code].some((each) => typeof each === 'string' && IN_THE_WAY.has(each));
}
