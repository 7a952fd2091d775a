import { Injectable } from '@nestjs/common';
import type { NamedMigration } from '../provisioning/template/named-migrations';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import type { Tenant } from '../registry/tenant';
import { TenantStore } from '../registry/store/tenant.store';
import { TypeOrmTenantStore } from '../registry/store/typeorm-tenant.store';
import type { CheckedFleetOptions } from './fleet-migrator.options';
import { type FleetMember, FleetMembers } from './fleet-members';
import { FleetTally } from './fleet-report';
import { LaneVisits, type Visit } from './lane-visits';
import { WithdrawnError } from './migration-lane';
import { type MigrationFailure, MigrationLedger } from './migration-ledger';
import type { RunDirection } from './migration-runs';
import {
  type LaneTurn,
  TenantMigrationFailure,
  TenantMigrator,
  type TenantRunOptions,
} from './tenant-migrator';
import { planWaves, type Wave } from './waves';

/** The work of one run. */
export interface FleetTask {
  readonly runId: string;
  readonly direction: RunDirection;
  readonly migrations: readonly NamedMigration[];
  readonly options: CheckedFleetOptions;
  /** Why no other tenant may be begun; `undefined` when one may. */
  readonly whyStop: () => string | undefined;
}

/**
 * How many tenants are noted in one statement. The ledger already has their migrations, so nothing waits for the notes.
 */
const NOTES_AT_ONCE = 100;

/** Migrates the fleet wave by wave, until no tenant is left or the run must stop. */
@Injectable()
export class FleetRun {
  constructor(
    private readonly members: FleetMembers,
    private readonly migrator: TenantMigrator,
    private readonly ledger: MigrationLedger,
    private readonly transactions: SystemTransactions,
    private readonly store: TenantStore,
  ) {}

  async visit(task: FleetTask): Promise<FleetTally> {
    const tally = new FleetTally();
    const total = await this.members.count(namesOf(task), missingIn(task));
    if (total === 0) return tally;
    const waves = planWaves(total, task.options);
    for (const [index, wave] of waves.entries()) {
      // Tenants that were added during a pass are found by the next one.
      while (tally.halted === undefined && (await this.#pass(task, tally, wave, total)));
      if (tally.halted === undefined && index < waves.length - 1) await askToGoOn(task, tally, wave);
    }
    return tally;
  }

  /** Returns whether another pass may find more tenants. */
  async #pass(task: FleetTask, tally: FleetTally, wave: Wave, total: number): Promise<boolean> {
    const before = tally.finished;
    const { runId, direction, options } = task;
    const run: TenantRunOptions = { ...options, runId, direction };
    /** Ids of tenants whose version is to be noted. */
    const notes: string[] = [];
    const members = this.members.find(namesOf(task), missingIn(task));
    let begun = before;
    const visit = async (member: FleetMember, turn: LaneTurn): Promise<Visit> => {
      const done = await this.#visitOne(task, run, tally, member, turn);
      if (done === 'withdrawn') return done;
      if (done > 0) notes.push(member.tenant.id);
      if (notes.length >= NOTES_AT_ONCE) await this.#note(task, notes.splice(0));
      options.onProgress?.(tally.finished, Math.max(total, tally.finished));
      return 'ended';
    };
    const worker = async (): Promise<void> => {
      const visits = new LaneVisits(this.migrator.openLane(), visit);
      try {
        for await (const member of members) {
          if (tally.settled.has(member.tenant.id) || !isIn(wave, member)) continue;
          if (begun >= wave.upTo || !mayGoOn(task, tally)) break;
          begun++;
          tally.settled.add(member.tenant.id);
          if (await visits.go(member, () => mayGoOn(task, tally))) continue;
          begun--;
          tally.settled.delete(member.tenant.id);
          break;
        }
      } finally {
        await visits.end();
      }
    };
    const [end] = await Promise.allSettled([
      this.#allOf(Array.from({ length: task.options.concurrency }, worker), tally),
    ]);
    // What was done is noted even if the list of tenants broke off. The first error is thrown.
    const [noted] = await Promise.allSettled([this.#note(task, notes)]);
    for (const outcome of [end, noted]) if (outcome.status === 'rejected') throw outcome.reason;
    return tally.finished > before && tally.finished < wave.upTo;
  }

  /** How many migrations it has run. */
  async #visitOne(
    task: FleetTask,
    run: TenantRunOptions,
    tally: FleetTally,
    member: FleetMember,
    turn: LaneTurn,
  ): Promise<number | 'withdrawn'> {
    const { tenant } = member;
    const isDown = task.direction === 'down';
    const migrations = task.migrations.filter(({ name }) => member.done.includes(name) === isDown);
    try {
      const done = await this.migrator.run(tenant, migrations, run, turn);
      if (done > 0) await this.#tellStore(tenant);
      if (done > 0) tally.done++;
      else tally.skipped++;
      return done;
    } catch (error) {
      if (error instanceof WithdrawnError) return 'withdrawn';
      if (!(error instanceof TenantMigrationFailure)) throw error;
      await this.#fail(task, tally, member, error);
      return error.done;
    }
  }

  /** Waits for all workers, and throws the first error. */
  async #allOf(workers: readonly Promise<void>[], tally: FleetTally): Promise<void> {
    const guarded = workers.map((worker) =>
      worker.catch((error: unknown) => {
        tally.halt('the run itself failed.');
        throw error;
      }),
    );
    for (const outcome of await Promise.allSettled(guarded)) {
      if (outcome.status === 'rejected') throw outcome.reason;
    }
  }

  /** Our own store is updated for many tenants at once, in `#note`. */
  async #tellStore({ id }: Tenant): Promise<void> {
    if (this.store instanceof TypeOrmTenantStore) return;
    const schemaVersion = await this.transactions.run((manager) => this.ledger.readVersion(manager, id));
    await this.store.update(id, { schemaVersion });
  }

  async #fail(
    task: FleetTask,
    tally: FleetTally,
    { tenant }: FleetMember,
    error: TenantMigrationFailure,
  ): Promise<void> {
    const failure: MigrationFailure = {
      tenantId: tenant.id,
      slug: tenant.slug,
      migration: error.migration.name,
      message: error.message,
      statement: statementOf(error.cause),
    };
    tally.failed.push(failure);
    if (tally.failed.length > task.options.maxFailures) {
      tally.halt(
        `${tally.failed.length} tenants failed, and maxFailures is ${task.options.maxFailures}. Correct the cause and run again: tenants that are done stay done.`,
      );
    }
    if (task.direction === 'down') return;
    await this.transactions.run(async (manager) => {
      await this.ledger.recordFailure(manager, failure, error.migration, task.runId);
      // Earlier migrations of this tenant may have succeeded.
      await this.ledger.writeVersion(manager, tenant.id);
    });
    if (error.done > 0) await this.#tellStore(tenant);
  }

  /** Writes the tenants' versions in our own store. Another store is told of each tenant in turn. */
  async #note({ direction }: FleetTask, tenantIds: readonly string[]): Promise<void> {
    if (direction === 'down' || tenantIds.length === 0 || !(this.store instanceof TypeOrmTenantStore)) return;
    await this.transactions.run((manager) => this.ledger.writeVersions(manager, tenantIds));
  }
}

function namesOf({ migrations }: FleetTask): string[] {
  return migrations.map(({ name }) => name);
}

function missingIn({ direction }: FleetTask): 'lacking' | 'having' {
  return direction === 'up' ? 'lacking' : 'having';
}

function isIn({ slugs }: Wave, { tenant }: FleetMember): boolean {
  return slugs === undefined || slugs.includes(tenant.slug);
}

function mayGoOn({ whyStop }: FleetTask, tally: FleetTally): boolean {
  const why = whyStop();
  if (why !== undefined) tally.halt(why);
  return tally.halted === undefined;
}

async function askToGoOn(
  { options: { afterWave } }: FleetTask,
  tally: FleetTally,
  { name }: Wave,
): Promise<void> {
  try {
    await afterWave?.(name, { done: tally.done, failed: tally.failed });
  } catch (error) {
    tally.halt(
      `afterWave failed after the wave "${name}": ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** TypeORM's `QueryFailedError` contains the statement that was sent. */
function statementOf(error: unknown): string | undefined {
  const { query, cause } = (error ?? {}) as { query?: unknown; cause?: unknown };
  if (typeof query === 'string') return query;
  return cause === undefined ? undefined : statementOf(cause);
}
