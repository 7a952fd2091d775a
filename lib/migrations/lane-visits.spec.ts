import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FleetMember } from './fleet-members';
import { LaneVisits, type Visit } from './lane-visits';
import type { MigrationLane } from './migration-lane';

const member = (slug: string) => ({ tenant: { slug } }) as FleetMember;

describe('Visits of one lane', () => {
  /** Each is held at once, and ends when it is told to. */
  function visitsOf(lane: { isEnding: boolean }) {
    const begun: string[] = [];
    const ends: ((visit: Visit) => void)[] = [];
    const visits = new LaneVisits(lane as MigrationLane, ({ tenant: { slug } }, { onHeld }) => {
      begun.push(slug);
      onHeld!();
      return new Promise((resolve) => ends.push(resolve));
    });
    return { begun, ends, visits };
  }

  it('begin while the end of the one before is under way', async () => {
    const { begun, ends, visits } = visitsOf({ isEnding: true });
    await visits.go(member('acme'), () => true);
    const next = visits.go(member('globex'), () => true);
    await nextTurn();
    expect(begun).toEqual(['acme', 'globex']);
    ends[0]('ended');
    await expect(next).resolves.toBe(true);
  });

  it('wait for one before whose end has failed, and which is at work again', async () => {
    const { begun, ends, visits } = visitsOf({ isEnding: false });
    await visits.go(member('acme'), () => true);
    const next = visits.go(member('globex'), () => true);
    await nextTurn();
    expect(begun).toEqual(['acme']);
    ends[0]('ended');
    await expect(next).resolves.toBe(true);
    expect(begun).toEqual(['acme', 'globex']);
  });
});
