import type { FleetMember } from './fleet-members';
import type { MigrationLane } from './migration-lane';
import type { LaneTurn } from './tenant-migrator';

/** How a visit is over. `withdrawn`: nothing of it has run, because the COMMIT before it has failed. */
export type Visit = 'ended' | 'withdrawn';

/**
 * The tenants of one lane, one after the other. The COMMIT of each travels with the beginning of the next, so two visits
 * overlap: one that is held, which is done but for its COMMIT, and the next one.
 */
export class LaneVisits {
  /** The latest, which may be held. */
  #last: Promise<Visit> = Promise.resolve('ended');

  constructor(
    private readonly lane: MigrationLane,
    private readonly visit: (member: FleetMember, turn: LaneTurn) => Promise<Visit>,
  ) {}

  /**
   * Visits the next one. Resolves when it is held or over; with false when it was withdrawn, and `mayGoOn` says that it is not
   * to be begun again. Rejects when the visit before does.
   */
  async go(member: FleetMember, mayGoOn: () => boolean): Promise<boolean> {
    for (;;) {
      const before = this.#last;
      // When no COMMIT is under way, the one before has none to send along: it is over, or its COMMIT has failed and it tries
      // again, by itself.
      if (!this.lane.isEnding) await before;
      let outcome: Visit | 'held';
      try {
        outcome = await this.#begin(member);
      } finally {
        await before;
      }
      if (outcome !== 'withdrawn') return true;
      if (!mayGoOn()) return false;
    }
  }

  /** Resolves when it is held, or else when it is over. */
  #begin(member: FleetMember): Promise<Visit | 'held'> {
    return new Promise((resolve, reject) => {
      const onHeld = () => resolve('held');
      this.#last = this.visit(member, { lane: this.lane, onHeld });
      // When it fails after it was held, `go` of the next one tells, or `end`.
      this.#last.then(resolve, reject);
    });
  }

  /** Waits for what is under way. */
  async end(): Promise<void> {
    this.lane.flush();
    await this.#last;
  }
}
