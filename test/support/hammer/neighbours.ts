import { TenantSweeper, type Tenant } from '../../../lib';
import type { HammerCall, HammerOperation } from '../../../lib/testing';
import type { HammerWorld } from './hammer-world';

const MONTH_MS = 31 * 24 * 60 * 60 * 1000;

/** Sweeps in the middle of the work: of an impatient neighbour, and of an instance whose clock is a month ahead. */
export function sweeps({ instances, neighbour }: HammerWorld): Record<string, HammerOperation<Tenant>> {
  let isAhead = false;

  const sweep = async (call: HammerCall<Tenant>, sweeper: TenantSweeper, whose: string): Promise<void> => {
    const { purged, orphans } = await sweeper.sweep();
    const gone = [...purged, ...orphans.dropped];
    if (gone.length > 0) call.wrong(`a sweep ${whose} took ${gone.join(', ')}`);
  };

  return {
    sweepOfNeighbour: (call) => sweep(call, neighbour.get(TenantSweeper), 'of a neighbour'),
    sweepAhead: async (call) => {
      if (isAhead) return;
      isAhead = true;
      const setBack = setClockAhead(MONTH_MS);
      try {
        await sweep(call, call.random.pick(instances).app.get(TenantSweeper), 'a month ahead');
      } finally {
        setBack();
        isAhead = false;
      }
    },
  };
}

/** Of the whole process. What it gives sets it right again. */
function setClockAhead(ms: number): () => void {
  const RealDate = Date;
  const now = () => RealDate.now() + ms;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, given: unknown[], newTarget) =>
      Reflect.construct(target, given.length === 0 ? [now()] : given, newTarget) as Date,
    get: (target, property) => (property === 'now' ? now : (Reflect.get(target, property) as unknown)),
  });
  return () => {
    globalThis.Date = RealDate;
  };
}
