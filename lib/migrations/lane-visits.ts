import type { FleetMember } from './fleet-members';
import type { MigrationLane } from './migration-lane';
import type { TenantRunOptions } from './tenant-migrator';

export type LaneTurn = Pick<TenantRunOptions, 'lane' | 'onHeld'>;

/** `withdrawn`: nothing of it has run, because the one before has failed at its end. */
export type Visit = 'ended' | 'withdrawn';

/** Visits of one lane, one after the other: but the end of each may travel with the beginning of the next. */
export class LaneVisits {
  /** The one before, which has all behind it but its end. */
  #last: Promise<Visit> = Promise.resolve('ended');

  constructor(
    private readonly lane: MigrationLane,
    private readonly visit: (member: FleetMember, turn: LaneTurn) => Promise<Visit>,
  ) {}

  /**
   * Resolves when the member is done, or all but its end; false when it was withdrawn and `mayGoOn` says that it is not to
   * be begun again. Rejects when the visit before does.
   */
  async go(member: FleetMember, mayGoOn: () => boolean): Promise<boolean> {
    for (;;) {
      const before = this.#last;
      // With no end under way it is all but done, or its end has failed and it tries again: then it must not be withdrawn,
      // with this one's end, when it has been told of as held.
      if (!this.lane.isEnding) await before;
      let hold!: () => void;
      const held = new Promise<'held'>((resolve) => (hold = () => resolve('held')));
      const visit = this.visit(member, { lane: this.lane, onHeld: hold });
      this.#last = visit;
      // Who waits for it comes later.
      visit.catch(() => undefined);
      // The one before has ended by then, or ends without anybody's help.
      const outcome = await Promise.race([visit, held]).finally(() => before);
      if (outcome !== 'withdrawn') return true;
      if (!mayGoOn()) return false;
    }
  }

  /** Waits for what is under way. */
  async end(): Promise<void> {
    this.lane.flush();
    await this.#last;
  }
}
