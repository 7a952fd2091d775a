import fc from 'fast-check';
import { type Asker, FairQueue, type FairQueueOptions, type Share } from './fair-queue';

/** Somebody whose turns are written down. */
class Caller implements Asker {
  share: Share<this> | undefined;
  constructor(
    private readonly turns: Caller[],
    readonly key: string,
    readonly name: string,
    readonly work: object = {},
    private readonly nested = false,
  ) {}
  readonly isUnbounded = false;
  isNested = () => this.nested;
  start = () => void this.turns.push(this);
}

class OperatorCaller extends Caller {
  override readonly isUnbounded = true as never;
}

function queueOf(options: Partial<FairQueueOptions<Caller>>) {
  const turns: Caller[] = [];
  const queue = new FairQueue<Caller>({
    size: 1,
    maxPerKey: Infinity,
    maxWaitingPerKey: Infinity,
    ...options,
  });
  const caller = (name: string, work?: object, nested?: boolean) =>
    new Caller(turns, name.charAt(0), name, work, nested);
  return {
    queue,
    caller,
    operator: (name: string) => new OperatorCaller(turns, 'operator', name),
    enter: (...names: string[]) => names.map((name) => queue.enter(caller(name))),
    /** Who has had a turn, in order. */
    served: () => turns.map(({ name }) => name),
    /** Everybody gives back what they have, one after the other, until nobody waits. */
    drain: () => {
      for (const each of turns) queue.leave(each);
    },
  };
}

describe('A fair queue', () => {
  it('serves each tenant’s first before anybody’s second', () => {
    const { enter, drain, served } = queueOf({ size: 1 });
    enter('x0', 'a1', 'a2', 'a3', 'b1', 'b2', 'c1');
    drain();
    expect(served()).toEqual(['x0', 'a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
  });

  it('serves those first for whom nothing must be closed, but at most 16 in a row', () => {
    const { enter, drain, served } = queueOf({ costOf: ({ key }) => (key === 'c' ? 'closing' : 'free') });
    enter('x0', 'c1', ...Array.from({ length: 20 }, (_, i) => `a${i}`), 'b1', 'c2');
    drain();
    expect(served().indexOf('c1')).toBe(17);
    expect(
      served()
        .filter((name) => name !== 'c1')
        .slice(0, 4),
    ).toEqual(['x0', 'a0', 'b1', 'a1']);
    expect(served()).toHaveLength(24);
  });

  it('lets one wait for what is lent to its own, though a connection is free', () => {
    let isBack = false;
    const { enter, queue, caller, served } = queueOf({
      size: 4,
      costOf: ({ name }) => (name === 'a2' && !isBack ? 'later' : 'free'),
    });
    const first = caller('a1');
    queue.enter(first);
    enter('a2', 'b1', 'c1');
    expect(served()).toEqual(['a1', 'b1', 'c1']);
    isBack = true;
    queue.leave(first);
    expect(served()).toEqual(['a1', 'b1', 'c1', 'a2']);
  });

  it('gives a key no more than it may have itself, where that is less', () => {
    const { queue, caller, served } = queueOf({ size: 4, maxPerKey: 3 });
    for (const name of ['a1', 'a2', 'b1', 'b2', 'b3']) {
      const each = caller(name);
      queue.enter(name.startsWith('a') ? Object.assign(each, { maxPerKey: 1 }) : each);
    }
    expect(served()).toEqual(['a1', 'b1', 'b2', 'b3']);
  });

  it('lets a newcomer wait for one of each other tenant, however many these have sent', () => {
    const { enter, drain, served } = queueOf({ size: 2, maxPerKey: 2 });
    enter('a0', 'a1', ...Array.from({ length: 100 }, (_, i) => `a${i + 2}`));
    enter('b1');
    drain();
    expect(served().indexOf('b1')).toBeLessThanOrEqual(3);
  });

  it('leaves connections to others that one tenant may not have', () => {
    const { enter, served } = queueOf({ size: 4, maxPerKey: 3 });
    expect(enter('a1', 'a2', 'a3', 'a4', 'b1')).toEqual([
      'started',
      'started',
      'started',
      'waiting',
      'started',
    ]);
    expect(served()).toEqual(['a1', 'a2', 'a3', 'b1']);
  });

  it('refuses one more of a tenant than may wait, and takes others’ still', () => {
    const { enter } = queueOf({ size: 1, maxWaitingPerKey: 2 });
    expect(enter('a1', 'a2', 'a3', 'a4', 'b1')).toEqual([
      'started',
      'waiting',
      'waiting',
      'refused',
      'waiting',
    ]);
  });

  it('refuses all that would wait when none may', () => {
    const { enter } = queueOf({ size: 2, maxPerKey: 1, maxWaitingPerKey: 0 });
    expect(enter('a1', 'a2', 'b1', 'b2')).toEqual(['started', 'refused', 'started', 'refused']);
  });

  it('forgets who has withdrawn', () => {
    const { queue, caller, enter, drain, served } = queueOf({ size: 1, maxWaitingPerKey: 1 });
    enter('a1');
    const waiter = caller('a2');
    queue.enter(waiter);
    queue.withdraw(waiter);
    expect(queue.waiting).toEqual([]);
    expect(enter('a3')).toEqual(['waiting']);
    drain();
    expect(served()).toEqual(['a1', 'a3']);
  });

  it('takes the operator for one more tenant, without bounds', () => {
    const { queue, operator, enter, drain, served } = queueOf({
      size: 3,
      maxPerKey: 1,
      maxWaitingPerKey: 1,
    });
    const outcomes = ['o1', 'o2', 'o3', 'o4', 'o5', 'o6'].map((name) => queue.enter(operator(name)));
    expect(outcomes).toEqual(['started', 'started', 'started', 'waiting', 'waiting', 'waiting']);
    enter('a1', 'b1');
    drain();
    expect(served().slice(3)).toEqual(['o4', 'a1', 'b1', 'o5', 'o6']);
  });

  describe('with work that keeps one connection and asks for the next', () => {
    it('gives it one beyond its tenant’s share, one at a time', () => {
      const { queue, caller, served } = queueOf({ size: 4, maxPerKey: 1 });
      const work = {};
      queue.enter(caller('a1', work));
      const second = caller('a2', work, true);
      expect(queue.enter(second)).toBe('started');
      expect(queue.enter(caller('a3', work, true))).toBe('waiting');
      queue.leave(second);
      expect(served()).toEqual(['a1', 'a2', 'a3']);
    });

    it('gives one beyond to the tenant, however many works ask: each has its turn', () => {
      const { queue, caller, served, drain } = queueOf({ size: 10, maxPerKey: 3 });
      const works = [{}, {}, {}];
      works.forEach((work, i) => queue.enter(caller(`a${i}`, work)));
      expect(works.map((work, i) => queue.enter(caller(`a${i}+`, work, true)))).toEqual([
        'started',
        'waiting',
        'waiting',
      ]);
      expect(queue.enter(caller('b0'))).toBe('started');
      drain();
      expect(served()).toEqual(['a0', 'a1', 'a2', 'a0+', 'b0', 'a1+', 'a2+']);
    });

    it('lets all nested work end, and no tenant have more than its share and one', () => {
      const work = fc.record({ tenant: fc.constantFrom('a', 'b', 'c'), inner: fc.nat(3) });
      fc.assert(
        fc.property(
          fc.array(work, { maxLength: 40 }),
          fc.integer({ min: 1, max: 4 }),
          fc.infiniteStream(fc.nat()),
          (works, maxPerKey, picks) => {
            const lent = new Map<string, number>();
            const ready: (() => void)[] = [];
            const queue = new FairQueue<Caller>({
              size: 3 * maxPerKey + 1,
              maxPerKey,
              maxWaitingPerKey: 100,
            });
            let ended = 0;
            const ask = (tenant: string, of: object, isNested: boolean, goOn: (end: () => void) => void) => {
              const asker = new Caller([], tenant, tenant, of, isNested);
              asker.start = () => {
                lent.set(tenant, (lent.get(tenant) ?? 0) + 1);
                expect(lent.get(tenant)).toBeLessThanOrEqual(maxPerKey + 1);
                ready.push(() =>
                  goOn(() => {
                    lent.set(tenant, lent.get(tenant)! - 1);
                    queue.leave(asker);
                  }),
                );
              };
              queue.enter(asker);
            };
            for (const { tenant, inner } of works) {
              const of = {};
              const next = (left: number, end: () => void): void => {
                if (left === 0) {
                  ended++;
                  end();
                } else
                  ask(tenant, of, true, (endInner) => {
                    endInner();
                    ready.push(() => next(left - 1, end));
                  });
              };
              ready.push(() => ask(tenant, of, false, (end) => next(inner, end)));
            }
            while (ready.length > 0) ready.splice(picks.next().value! % ready.length, 1)[0]();
            expect(ended).toBe(works.length);
          },
        ),
      );
    });

    it('gives none beyond to other work of that tenant', () => {
      const { queue, caller, enter } = queueOf({ size: 4, maxPerKey: 1 });
      const work = {};
      queue.enter(caller('a1', work));
      queue.enter(caller('a2', work, true));
      expect(enter('a3')).toEqual(['waiting']);
    });

    it('serves it first when all connections are lent', () => {
      const { queue, caller, enter, drain, served } = queueOf({ size: 2, maxPerKey: 2 });
      const work = {};
      queue.enter(caller('a1', work));
      enter('b1', 'b2', 'c1', 'a2');
      queue.enter(caller('a3', work, true));
      drain();
      expect(served().slice(0, 3)).toEqual(['a1', 'b1', 'a3']);
    });
  });

  it('remembers nobody who neither has a connection nor waits for one', () => {
    const { queue, enter, drain } = queueOf({ size: 2, maxPerKey: 1, maxWaitingPerKey: 0 });
    enter('a1', 'a2', 'b1', 'c1');
    drain();
    expect(queue.keys).toEqual([]);
  });
});
