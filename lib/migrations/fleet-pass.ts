import { Injectable } from '@nestjs/common';
import { isBesideRegistry, placeOf } from '../placement/place';
import { OpenMoves } from '../provisioning/open-moves';
import { FleetFailures } from './fleet-failures';
import { FleetLane, type LanePass } from './fleet-lane';
import { type FleetMember, FleetMembers } from './fleet-members';
import type { FleetTally } from './fleet-report';
import { ServerLeftOutError } from './fleet-servers';
import { type FleetTask, migrationsFor, missingIn, namesOf, withRun } from './fleet-task';
import { FleetVersions } from './fleet-versions';
import { WithdrawnError } from './lane-ending';
import { MemberFeed } from './member-feed';
import { PlainMigrations } from './plain-migrations';
import {
  type LaneTurn,
  TenantMigrationFailure,
  TenantMigrator,
  type TenantRunOptions,
} from './tenant-migrator';
import type { Wave } from './waves';

/** What a pass is to visit. */
export interface PassScope {
  readonly server: string;
  readonly task: FleetTask;
  readonly tally: FleetTally;
  readonly wave: Wave;
  /** How many tenants the run is expected to visit, on all servers. */
  readonly total: number;
}

/**
 * How many tenants are noted in one statement. The ledger already has their migrations, so nothing waits for the notes.
 */
const NOTES_AT_ONCE = 100;

/** Visits the tenants of one server that a wave has still to migrate, each once, on several lanes. */
@Injectable()
export class FleetPass {
  constructor(
    private readonly members: FleetMembers,
    private readonly migrator: TenantMigrator,
    private readonly failures: FleetFailures,
    private readonly versions: FleetVersions,
    private readonly moves: OpenMoves,
  ) {}

  /** @throws ServerLeftOutError, or what stops the run */
  async go({ server, task, tally, wave, total }: PassScope): Promise<void> {
    const { runId, direction, options } = task;
    const run: TenantRunOptions = { ...options, runId, direction };
    /** Ids of tenants whose version is to be noted. */
    const notes: string[] = [];
    const when = this.versions.whenToNote(server, direction);
    let begun = tally.finishedOn(server);
    const note = ({ tenant }: FleetMember) => {
      // What is in a database of its own was not noted with its migration.
      if (when !== 'done' || !isBesideRegistry(tenant)) notes.push(tenant.id);
    };
    const owesNotes = () => notes.length >= (when === 'together' ? NOTES_AT_ONCE : 1);
    const writeNotes = () => this.versions.note(server, notes.splice(0));
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
        if (done > 0) note(member);
        if (owesNotes()) await writeNotes();
        tellProgress();
        return 'ended';
      },
      ran: (member, done) => {
        const migrations = migrationsFor(task, member);
        note(member);
        if (done < migrations.length) return withRun(task, member, migrations, done);
        tally.count(server, 'done');
        tellProgress();
        return undefined;
      },
      get owesNotes() {
        return owesNotes();
      },
      writeNotes,
      giveBack: (members) => {
        begun -= members.length;
        for (const { tenant } of members) tally.settled.delete(tenant.id);
      },
    };
    const plain = new PlainMigrations();
    const lanes = Array.from({ length: options.concurrency }, () =>
      new FleetLane(this.migrator, run, pass, plain).work(),
    );
    const [end] = await Promise.allSettled([this.#allOf(lanes, tally)]);
    await feed.end();
    // What was done is noted even if the list of tenants broke off. The first error is thrown.
    const [noted] = await Promise.allSettled([writeNotes()]);
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
      await this.failures.note(task, tally, member, error);
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
}

/** Throws the first error that is more than that of one server, else the first one. */
function throwWorst(outcomes: readonly PromiseSettledResult<unknown>[]): void {
  const errors = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
  if (errors.length > 0) throw errors.find((error) => !(error instanceof ServerLeftOutError)) ?? errors[0];
}

function isIn({ slugs }: Wave, { tenant }: FleetMember): boolean {
  return slugs === undefined || slugs.includes(tenant.slug);
}

function mayGoOn({ whyStop }: FleetTask, tally: FleetTally, server: string): boolean {
  const why = whyStop();
  if (why !== undefined) tally.halt(why);
  return tally.halted === undefined && !tally.leftOut.has(server);
}
