import { CronTimes, loadCronTime } from './cron-times';
import type { MissedFires } from './tenant-cron.decorator';
import { decide, isIdle, type TimerState } from './timer-decision';

const hourly = new CronTimes(loadCronTime(), '0 * * * *', 'UTC');
const at = (time: string) => new Date(`2026-05-01T${time}Z`);

function decideAt(now: string, decidedUntil: string, missed: MissedFires = 'skip', run?: TimerState['run']) {
  const state = { now: at(now), decidedUntil: at(decidedUntil), run };
  return decide(hourly, { missed, lateAfterMs: 60_000 }, state);
}

describe('What is decided of a timer', () => {
  it('is nothing before it fires, and a run for the time of the expression when it does', () => {
    expect(decideAt('02:59:59.999', '02:00:00').begin).toBeUndefined();
    expect(decideAt('03:00:00.020', '02:00:00')).toEqual({
      decidedUntil: at('03:00:00'),
      skipped: 0,
      begin: at('03:00:00'),
    });
  });

  it('is nothing a second time, however far PostgreSQL’s clock goes back', () => {
    for (const now of ['03:00:00.030', '02:59:50', '02:00:00', '00:00:00'])
      expect(decideAt(now, '03:00:00')).toEqual({ decidedUntil: at('03:00:00'), skipped: 0 });
  });

  it.each<[MissedFires, Date | undefined, number]>([
    ['skip', undefined, 3],
    ['run-once', at('05:00:00'), 2],
  ])('of fires that all instances have missed, with %s', (missed, begin, skipped) => {
    expect(decideAt('05:30:00', '02:10:00', missed)).toEqual({
      decidedUntil: at('05:00:00'),
      skipped,
      skippedAt: begin ? at('04:00:00') : at('05:00:00'),
      begin,
      resume: undefined,
    });
  });

  it('is a run for the last fire when that one is not late, and the earlier ones were missed', () => {
    expect(decideAt('05:00:30', '02:10:00')).toMatchObject({ begin: at('05:00:00'), skipped: 2 });
  });

  const going = { fireAt: at('02:00:00'), isHeld: true };

  it('is that it does not overlap itself', () => {
    expect(decideAt('03:00:01', '02:00:00', 'skip', going)).toMatchObject({
      decidedUntil: at('03:00:00'),
      skipped: 1,
      skippedAt: at('03:00:00'),
    });
    const waiting = decideAt('03:00:01', '02:00:00', 'run-once', going);
    expect(waiting).toMatchObject({ decidedUntil: at('02:00:00'), skipped: 0 });
    expect(waiting.begin).toBeUndefined();
    expect(decideAt('04:20:00', '02:00:00', 'run-once')).toMatchObject({ begin: at('04:00:00'), skipped: 1 });
  });

  it.each<MissedFires>(['skip', 'run-once'])(
    'is to go on with a run whose instance is gone, with %s',
    (missed) => {
      const state = { now: at('02:10:00'), decidedUntil: at('02:00:00'), run: { ...going, isHeld: false } };
      const decision = decide(hourly, { missed, lateAfterMs: 60_000 }, state);
      expect(decision).toMatchObject({ resume: at('02:00:00') });
      expect(decision.begin).toBeUndefined();
      expect(isIdle(decision, state)).toBe(false);
      const held = { ...state, run: going };
      expect(isIdle(decide(hourly, { missed, lateAfterMs: 60_000 }, held), held)).toBe(true);
    },
  );
});
