import type { FleetMember } from './fleet-members';
import { LaneVisits, type Visit } from './lane-visits';
import type { MemberFeed } from './member-feed';
import type { PlainMigrations } from './plain-migrations';
import type { LaneTurn, TenantMigrator, TenantRunOptions, TenantTurn } from './tenant-migrator';

/** In milliseconds: a message to several tenants is to be over after it. For so long nothing else comes to the connection. */
const MESSAGE_MS = 200;
/** The same while somebody else wants the connection. */
const WANTED_MESSAGE_MS = 50;
/** How many tenants there are in one message at most. */
const MAX_TOGETHER = 50;
/** A message has at most so many times the tenants of the one before. */
const MAX_GROWTH = 8;
/** So few are not shared with other lanes: messages of this size have been over in time. */
const NOT_SHARED = 8;

/** What a lane asks of the pass that it belongs to. */
export interface LanePass {
  readonly feed: MemberFeed;
  /** How many tenants there are for this lane to take at once, so that the others have something to do, too. */
  share(): number;
  mayGoOn(): boolean;
  turnOf(member: FleetMember): TenantTurn;
  /** Runs a tenant by itself. */
  visit(member: FleetMember, turn: LaneTurn): Promise<Visit>;
  /** A tenant was run together with others: so many of its migrations have run. Gives it back if some are left. */
  ran(member: FleetMember, done: number): FleetMember | undefined;
  /** Whether it is time to write what was noted of such tenants. */
  readonly owesNotes: boolean;
  writeNotes(): Promise<void>;
  /** These were begun, and nothing of them has run. */
  giveBack(members: readonly FleetMember[]): void;
}

/** One lane of a pass: it takes tenants until there are no more, several at once where it is known what they need. */
export class FleetLane {
  readonly #lane;
  readonly #visits: LaneVisits;
  /** How many tenants to run together. One is not enough, and more are not tried again once they took too long. */
  #size = 2;

  constructor(
    private readonly migrator: TenantMigrator,
    private readonly run: TenantRunOptions,
    private readonly pass: LanePass,
    plain: PlainMigrations,
  ) {
    this.#lane = migrator.openLane(plain);
    this.#visits = new LaneVisits(this.#lane, (member, turn) => pass.visit(member, turn));
  }

  async work(): Promise<void> {
    try {
      for (;;) {
        const taken = await this.pass.feed.take(this.#most, () => this.#lane.letGo());
        if (taken.length === 0 || !(await this.#runAll(taken))) break;
      }
    } finally {
      this.#lane.letGo();
      await this.#visits.end();
    }
  }

  /** How many tenants to take. */
  get #most(): number {
    return this.#lane.plain.isEmpty ? 1 : Math.min(this.#size, Math.max(NOT_SHARED, this.pass.share()));
  }

  /** False when no other is to be begun. */
  async #runAll(members: readonly FleetMember[]): Promise<boolean> {
    let left = members;
    while (left.length > 0) {
      left = await this.#runTogether(left);
      const [first, ...others] = left;
      if (!first) break;
      this.#lane.letGo();
      // The first one may have been in the way of the others, or is one that has to be asked.
      if (!this.pass.mayGoOn() || !(await this.#visits.go(first, () => this.pass.mayGoOn()))) {
        this.pass.giveBack(left);
        return false;
      }
      left = others;
    }
    return true;
  }

  /** Runs as many as can be run together, and gives those that are left. */
  async #runTogether(members: readonly FleetMember[]): Promise<readonly FleetMember[]> {
    const turns = members.map((member) => this.pass.turnOf(member));
    const firstOther = turns.findIndex((turn) => !this.migrator.isPlain(turn, this.#lane));
    const count = firstOther === -1 ? turns.length : firstOther;
    if (count < 2) return members;
    await this.#visits.end();
    if (!this.pass.mayGoOn()) return members;
    const start = performance.now();
    const done = await this.migrator.runTogether(turns.slice(0, count), this.run, this.#lane);
    this.#adapt(count, performance.now() - start);
    const left: FleetMember[] = [];
    for (const [i, member] of members.entries()) {
      const unfinished = i < count && done[i] > 0 ? this.pass.ran(member, done[i]) : member;
      if (unfinished) left.push(unfinished);
    }
    if (this.pass.owesNotes) {
      this.#lane.letGo();
      await this.pass.writeNotes();
    }
    return left;
  }

  #adapt(count: number, ms: number): void {
    const most = this.#lane.isWanted ? WANTED_MESSAGE_MS : MESSAGE_MS;
    if (ms > most) this.#size = Math.max(1, Math.floor((count * most) / ms));
    else if (ms < most / 2 && count === this.#size)
      this.#size = Math.min(Math.floor(count * Math.min(most / 2 / ms, MAX_GROWTH)), MAX_TOGETHER);
  }
}
