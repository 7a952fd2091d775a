import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type QueryRunner } from 'typeorm';
import { isOutage } from '../common/outage';
import { ADMIN_DATA_SOURCE } from '../connection/typeorm/tenant-data-source';
import { TenantContext } from '../context/tenant-context';
import {
  type HeardStatements,
  type MigrationPlace,
  MigrationProblem,
  placeCheck,
  placeIn,
  requirePlace,
  runMigration,
} from '../provisioning/template/migration-run';
import type { NamedMigration } from '../provisioning/template/named-migrations';
import { SessionMigrations } from '../provisioning/template/session-migrations';
import { UnfinishedMigrations } from '../provisioning/template/unfinished-migrations';
import type { Tenant } from '../registry/tenant';
import { type ClaimedMigration, MigrationLedger } from './migration-ledger';
import type { RunDirection } from './migration-runs';
import { terseTransaction } from './terse-transaction';

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

  /**
   * What ran, of migrations in the order in which they are to run; after `up` the caller is to note the tenant's version.
   * What another run has brought meanwhile is left out.
   *
   * @throws TenantMigrationFailure
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
      const run = each.migration.transaction === false ? this.#runOutside : this.#attempt;
      try {
        const ms = await run.call(this, tenant, direction, each, options);
        if (ms !== undefined) done.push({ name: each.name, ms });
      } catch (error) {
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
    for (let retriesLeft = options.retries; ; retriesLeft--) {
      try {
        return await this.#runInside(tenant, direction, migration, options);
      } catch (error) {
        if (retriesLeft <= 0 || !mayTryAgain(error)) throw error;
      }
    }
  }

  /** Its last statements travel with COMMIT: they refuse it where it has changed the path, or ended the transaction. */
  #runInside(
    tenant: Tenant,
    direction: RunDirection,
    named: NamedMigration,
    options: TenantRunOptions,
  ): Promise<number | undefined> {
    let ran:
      { readonly place: MigrationPlace; readonly heard: HeardStatements; readonly ms: number } | undefined;
    const work = async (queryRunner: QueryRunner, rows: readonly ClaimedMigration[]) => {
      ran = undefined;
      if (!this.ledger.isClaimed(rows, tenant)) return;
      const start = performance.now();
      const heard = await runMigration(named, direction, queryRunner);
      ran = { place: rows[0], heard, ms: performance.now() - start };
    };
    const last = () => {
      if (!ran) return [];
      const check = placeCheck(ran.place);
      // Whoever asks for the version must not be told of what is no longer there. Last, so that nobody who changes the
      // tenant's row waits for a migration.
      return direction === 'down' ? [check, this.ledger.versionStatement(tenant.id)] : [check];
    };
    const claim = this.ledger.claim(direction, tenant, named, options);
    return this.context.runUnborn(tenant, async () => {
      try {
        await terseTransaction(this.dataSource, claim, work, last);
        return ran?.ms;
      } catch (error) {
        const found = placeIn(error);
        if (ran && found) requirePlace(ran.place, found, ran.heard);
        throw error;
      }
    });
  }

  async #runOutside(
    tenant: Tenant,
    direction: RunDirection,
    migration: NamedMigration,
    { runId, lockTimeoutMs }: TenantRunOptions,
  ): Promise<number | undefined> {
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
