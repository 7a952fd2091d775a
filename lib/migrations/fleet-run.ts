import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { messageOf } from '../common/error-message';
import type { NamedMigration } from '../provisioning/template/named-migrations';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { DEFAULT_SERVER, isBesideRegistry, placeOf } from '../placement/place';
import { ServerUnknownError } from '../placement/placement.errors';
import { OpenMoves } from '../provisioning/open-moves';
import type { CheckedFleetOptions } from './fleet-migrator.options';
import { type FleetMember, FleetMembers } from './fleet-members';
import { FleetTally } from './fleet-report';
import { FleetServers, orLeftOut, saysAway, ServerLeftOutError } from './fleet-servers';
import { FleetVersions } from './fleet-versions';
import { FleetLane, type LanePass } from './fleet-lane';
import { MemberFeed } from './member-feed';
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

/** Migrates the fleet wave by wave, and in each wave one server after the other, until no tenant is left or the run must stop. */
@Injectable()
export class FleetRun {
  constructor(
    private readonly members: FleetMembers,
    private readonly migrator: TenantMigrator,
    private readonly ledger: MigrationLedger,
    private readonly transactions: SystemTransactions,
    private readonly servers: FleetServers,
    private readonly versions: FleetVersions,
    private readonly moves: OpenMoves,
  ) {}

  /** Tenants of servers that the tally has left out are not visited; those that are away while it works are left out then. */
  async visit(task: FleetTask, tally: FleetTally): Promise<void> {
    const sizes = await this.#countEach(task, tally);
    const total = sumOf(sizes);
    if (total === 0) return;
    const waves = planWaves(sizes, task.options);
    for (const [index, wave] of waves.entries()) {
      // Tenants that were added during a pass are found by the next one.
      while (tally.halted === undefined && (await this.#pass(task, tally, wave, total)));
      if (tally.halted === undefined && index < waves.length - 1) await askToGoOn(task, tally, wave);
    }
  }

  /** How many tenants are still to be migrated, on the servers that are not left out. */
  async countLeft(task: FleetTask, tally: FleetTally): Promise<number> {
    return sumOf(await this.#countEach(task, tally));
  }

  async #countEach(task: FleetTask, tally: FleetTally): Promise<ReadonlyMap<string, number>> {
    const sizes = new Map<string, number>();
    for (const server of this.reached(tally)) {
      await leavingOut(tally, async () => {
        sizes.set(server, await this.members.count(namesOf(task), missingIn(task), { server }));
      });
    }
    return sizes;
  }

  /** Servers that the registry names and the options do not. */
  async leaveOutUnknown(tally: FleetTally): Promise<void> {
    for (const server of (await this.members.countByServer()).keys())
      if (!this.servers.names.includes(server)) tally.leaveOut(server, new ServerUnknownError(server));
  }

  /** The servers that are not left out, the registry's first. */
  reached({ leftOut }: FleetTally): readonly string[] {
    return this.servers.names.filter((server) => !leftOut.has(server));
  }

  /** Returns whether another pass may find more tenants. */
  async #pass(task: FleetTask, tally: FleetTally, wave: Wave, total: number): Promise<boolean> {
    const before = tally.finished;
    for (const server of this.reached(tally)) {
      if (tally.halted !== undefined) break;
      if (tally.finishedOn(server) >= wave.upTo(server)) continue;
      await leavingOut(tally, () => this.#passOn(server, task, tally, wave, total));
    }
    const isLeft = this.reached(tally).some((server) => tally.finishedOn(server) < wave.upTo(server));
    return tally.finished > before && isLeft;
  }

  async #passOn(
    server: string,
    task: FleetTask,
    tally: FleetTally,
    wave: Wave,
    total: number,
  ): Promise<void> {
    const { runId, direction, options } = task;
    const run: TenantRunOptions = { ...options, runId, direction };
    /** Ids of tenants whose version is to be noted. */
    const notes: string[] = [];
    const when = this.versions.whenToNote(server, direction);
    let begun = tally.finishedOn(server);
    const note = async (member: FleetMember): Promise<void> => {
      // What is in a database of its own was not noted with its migration.
      if (when !== 'done' || !isBesideRegistry(member.tenant)) notes.push(member.tenant.id);
      if (notes.length >= (when === 'together' ? NOTES_AT_ONCE : 1))
        await this.versions.note(server, notes.splice(0));
    };
    const tellProgress = () => options.onProgress?.(tally.finished, Math.max(total, tally.finished));
    // None begins during the run, and it does not wait for the end of those, which may take hours.
    const moving = await this.moves.list();
    const pages = this.members.findPages(namesOf(task), missingIn(task), server);
    const feed = new MemberFeed(pages, (member) => {
      if (!isIn(wave, member)) return 'passed over';
      if (tally.passOver(member.tenant, moving)) return 'passed over';
      if (tally.settled.has(member.tenant.id)) return 'passed over';
      if (begun >= wave.upTo(server) || !mayGoOn(task, tally, server)) return 'stop';
      begun++;
      tally.settled.add(member.tenant.id);
      return 'begun';
    });
    const pass: LanePass = {
      feed,
      share: () => Math.ceil((Math.min(wave.upTo(server), total) - begun) / (2 * options.concurrency)),
      mayGoOn: () => mayGoOn(task, tally, server),
      turnOf: (member) => ({ tenant: member.tenant, migrations: migrationsFor(task, member) }),
      visit: async (member, turn) => {
        const done = await this.#visitOne(task, run, tally, member, turn);
        if (done === 'withdrawn') return done;
        if (done > 0) await note(member);
        tellProgress();
        return 'ended';
      },
      ran: async (member, done) => {
        const migrations = migrationsFor(task, member);
        await note(member);
        if (done < migrations.length) return withRun(task, member, migrations, done);
        tally.count(server, 'done');
        tellProgress();
        return undefined;
      },
      giveBack: (members) => {
        begun -= members.length;
        for (const { tenant } of members) tally.settled.delete(tenant.id);
      },
    };
    const lanes = Array.from({ length: options.concurrency }, () =>
      new FleetLane(this.migrator, run, pass).work(),
    );
    const [end] = await Promise.allSettled([this.#allOf(lanes, tally)]);
    await feed.end();
    // What was done is noted even if the list of tenants broke off. The first error is thrown.
    const [noted] = await Promise.allSettled([this.versions.note(server, notes)]);
    throwWorst([end, noted]);
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
    const { server } = placeOf(tenant);
    try {
      const done = await this.migrator.run(tenant, migrationsFor(task, member), run, turn);
      tally.count(server, done > 0 ? 'done' : 'skipped');
      return done;
    } catch (error) {
      if (error instanceof WithdrawnError) return 'withdrawn';
      if (!(error instanceof TenantMigrationFailure)) throw error;
      await this.#fail(task, tally, member, error);
      return error.done;
    }
  }

  /** Waits for all workers, and throws their worst error. */
  async #allOf(workers: readonly Promise<void>[], tally: FleetTally): Promise<void> {
    const guarded = workers.map((worker) =>
      worker.catch((error: unknown) => {
        if (error instanceof ServerLeftOutError) tally.leaveOut(error.server, error);
        else tally.halt('the run itself failed.');
        throw error;
      }),
    );
    throwWorst(await Promise.allSettled(guarded));
  }

  async #fail(
    task: FleetTask,
    tally: FleetTally,
    { tenant }: FleetMember,
    error: TenantMigrationFailure,
  ): Promise<void> {
    const { server } = placeOf(tenant);
    await this.#requireThere(server, error);
    const failure: MigrationFailure = {
      tenantId: tenant.id,
      slug: tenant.slug,
      migration: error.migration.name,
      message: error.message,
      statement: statementOf(error.cause),
    };
    tally.failed.push(failure);
    tally.count(server, 'failed');
    if (tally.failed.length > task.options.maxFailures) {
      tally.halt(
        `${tally.failed.length} tenants failed, and maxFailures is ${task.options.maxFailures}. Correct the cause and run again: tenants that are done stay done.`,
      );
    }
    if (task.direction === 'down') return;
    const record = async (manager: EntityManager) => {
      await this.ledger.recordFailure(manager, failure, error.migration, task.runId);
      // Earlier migrations of this tenant may have succeeded.
      if (server === DEFAULT_SERVER) await this.ledger.writeVersion(manager, tenant.id);
    };
    await orLeftOut(server, () => this.transactions.run(record, server));
  }

  /** A lost connection is the tenant's failure as long as its server answers, and else that of the server. */
  async #requireThere(server: string, error: TenantMigrationFailure): Promise<void> {
    if (server === DEFAULT_SERVER || !saysAway(error.cause)) return;
    await orLeftOut(server, () => this.transactions.run((manager) => manager.query('SELECT 1'), server));
  }
}

/** Throws the first error that is more than that of one server, else the first one. */
function throwWorst(outcomes: readonly PromiseSettledResult<unknown>[]): void {
  const errors = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
  if (errors.length > 0) throw errors.find((error) => !(error instanceof ServerLeftOutError)) ?? errors[0];
}

/** Notes that a server is away; any other error is thrown. */
async function leavingOut(tally: FleetTally, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ServerLeftOutError)) throw error;
    tally.leaveOut(error.server, error);
  }
}

function sumOf(sizes: ReadonlyMap<string, number>): number {
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

function namesOf({ migrations }: FleetTask): string[] {
  return migrations.map(({ name }) => name);
}

function missingIn({ direction }: FleetTask): 'lacking' | 'having' {
  return direction === 'up' ? 'lacking' : 'having';
}

/** What is to run in a tenant, in the order of its age. */
function migrationsFor({ migrations, direction }: FleetTask, { done }: FleetMember): NamedMigration[] {
  return migrations.filter(({ name }) => done.includes(name) === (direction === 'down'));
}

/** The member once the first so many of its migrations have run. */
function withRun(
  { direction }: FleetTask,
  member: FleetMember,
  migrations: readonly NamedMigration[],
  count: number,
): FleetMember {
  if (direction === 'up')
    return { ...member, done: [...member.done, ...migrations.slice(0, count).map(({ name }) => name)] };
  const reverted = migrations.slice(-count).map(({ name }) => name);
  return { ...member, done: member.done.filter((name) => !reverted.includes(name)) };
}

function isIn({ slugs }: Wave, { tenant }: FleetMember): boolean {
  return slugs === undefined || slugs.includes(tenant.slug);
}

function mayGoOn({ whyStop }: FleetTask, tally: FleetTally, server: string): boolean {
  const why = whyStop();
  if (why !== undefined) tally.halt(why);
  return tally.halted === undefined && !tally.leftOut.has(server);
}

async function askToGoOn(
  { options: { afterWave } }: FleetTask,
  tally: FleetTally,
  { name }: Wave,
): Promise<void> {
  try {
    await afterWave?.(name, { done: tally.done, failed: tally.failed });
  } catch (error) {
    tally.halt(`afterWave failed after the wave "${name}": ${messageOf(error)}`);
  }
}

/** TypeORM's `QueryFailedError` contains the statement that was sent. */
function statementOf(error: unknown): string | undefined {
  const { query, cause } = (error ?? {}) as { query?: unknown; cause?: unknown };
  if (typeof query === 'string') return query;
  return cause === undefined ? undefined : statementOf(cause);
}
