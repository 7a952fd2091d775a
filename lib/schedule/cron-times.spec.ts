import { CronTimes, loadCronTime } from './cron-times';

const times = (expression: string, timeZone = 'UTC') => new CronTimes(loadCronTime(), expression, timeZone);
const at = (text: string) => new Date(text);

/** All fires in between, one by one. */
function list(cron: CronTimes, start: Date, end: Date): string[] {
  const fires: string[] = [];
  for (let fire = cron.next(start); fire <= end; fire = cron.next(fire)) fires.push(fire.toISOString());
  return fires;
}

describe('CronTimes', () => {
  it('reads expressions as @Cron() of @nestjs/schedule does, in UTC whatever the machine is set to', () => {
    expect(times('0 3 * * *').next(at('2026-05-01T12:00:00Z'))).toEqual(at('2026-05-02T03:00:00Z'));
    expect(times('*/20 * * * * *').next(at('2026-05-01T12:00:00.500Z'))).toEqual(at('2026-05-01T12:00:20Z'));
    expect(times('0 3 * * *', 'Asia/Tokyo').next(at('2026-05-01T12:00:00Z'))).toEqual(
      at('2026-05-01T18:00:00Z'),
    );
  });

  it('never gives the time that it was asked from, nor one before', () => {
    const cron = times('0 3 * * *');
    expect(cron.next(at('2026-05-02T03:00:00Z'))).toEqual(at('2026-05-03T03:00:00Z'));
  });

  it('fires once on the day on which clocks skip its hour, and on the day on which they repeat it', () => {
    const night = times('30 2 * * *', 'Europe/Berlin');
    expect(list(night, at('2026-03-28T12:00:00Z'), at('2026-03-30T12:00:00Z'))).toHaveLength(2);
    expect(list(night, at('2026-10-24T12:00:00Z'), at('2026-10-26T12:00:00Z'))).toHaveLength(2);
  });

  it.each([
    ['* * * * * *', 'UTC', 100],
    ['*/27 9-17 * * 1-5', 'Europe/Berlin', 2 * 86_400],
    ['0 0 1 * *', 'America/New_York', 70 * 86_400],
    ['30 2 * * *', 'Europe/Berlin', 10 * 86_400],
  ])('finds the last fire of %s %s without going through all of them', (expression, zone, seconds) => {
    const cron = times(expression, zone);
    for (const begin of ['2026-03-20T10:11:12.345Z', '2026-10-20T23:59:59.999Z']) {
      const start = at(begin);
      const end = new Date(start.getTime() + seconds * 1_000 + 789);
      const all = list(cron, start, end);
      expect(cron.last(start, end)?.toISOString()).toBe(all.at(-1));
      expect(cron.count(start, end, 10_000)).toBe(all.length);
    }
  });

  it('has no last fire where there is none, and counts no further than it is asked to', () => {
    expect(times('0 3 * * *').last(at('2026-05-01T03:00:00Z'), at('2026-05-01T23:00:00Z'))).toBeUndefined();
    expect(times('* * * * * *').count(at('2026-05-01T03:00:00Z'), at('2026-06-01T03:00:00Z'), 30)).toBe(30);
  });
});
