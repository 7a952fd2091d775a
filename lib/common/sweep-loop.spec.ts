import { ManualClock, settled } from '../../test/support/manual-clock';
import { SweepLoop, SweepProblems } from './sweep-loop';

describe('SweepLoop', () => {
  it('gives all callers the report of the sweep that is running', async () => {
    let sweeps = 0;
    const loop = new SweepLoop(() => Promise.resolve(++sweeps), new ManualClock());
    await expect(Promise.all([loop.run(), loop.run()])).resolves.toEqual([1, 1]);
    await expect(loop.run()).resolves.toBe(2);
  });

  it('pauses between the end of a sweep and the beginning of the next', async () => {
    const clock = new ManualClock();
    const told: number[] = [];
    let sweeps = 0;
    let end = (): void => undefined;
    const loop = new SweepLoop(async () => {
      await new Promise<void>((resolve) => (end = resolve));
      return ++sweeps;
    }, clock);
    loop.startLater(10, (report) => told.push(report));
    await clock.advance(9);
    end();
    expect(sweeps).toBe(0);
    await clock.advance(1);
    await clock.advance(100);
    end();
    await settled();
    expect(told).toEqual([1]);
    await clock.advance(9);
    end();
    await settled();
    expect(told).toEqual([1]);
    await clock.advance(1);
    end();
    await settled();
    expect(told).toEqual([1, 2]);
  });

  it('leaves out what is left of a sweep when it is stopped, and tells nothing of it', async () => {
    const clock = new ManualClock();
    let open = (): void => undefined;
    const steps: string[] = [];
    const loop = new SweepLoop(async (problems) => {
      await problems.attempt('begin', () => new Promise<void>((resolve) => (open = resolve)));
      steps.push('begun');
      await problems.attempt('end', () => Promise.resolve(steps.push('ended')));
      return problems.list;
    }, clock);
    const told: unknown[] = [];
    loop.start(10, (report) => told.push(report));
    const stopped = loop.stop();
    open();
    await stopped;
    await clock.advance(100);
    expect(steps).toEqual(['begun']);
    expect(told).toEqual([]);
  });
});

describe('SweepProblems', () => {
  it('says what could not be done, with the cause where it says more', async () => {
    const problems = new SweepProblems(() => false);
    const cause = new Error('The disk is full.');
    await problems.attempt('drop a', () => Promise.reject(new Error('No.', { cause })));
    await problems.attempt('drop b', () =>
      Promise.reject(new Error('It said: The disk is full.', { cause })),
    );
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- of strangers, anything may come
    await problems.attempt('drop c', () => Promise.reject('a text'));
    await expect(problems.attempt('count', () => Promise.resolve(1))).resolves.toBe(1);
    expect(problems.list).toEqual([
      'The sweeper could not drop a: No. The disk is full.',
      'The sweeper could not drop b: It said: The disk is full.',
      'The sweeper could not drop c: a text',
    ]);
  });
});
