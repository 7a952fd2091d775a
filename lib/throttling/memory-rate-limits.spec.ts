import { MemoryRateLimits } from './memory-rate-limits';

const minute = { limit: 2, windowMs: 60_000 };

describe('Counts in memory', () => {
  let now: number;
  let limits: MemoryRateLimits;
  const take = async (key = 'acme') => (await limits.take(key, 1, minute)).isRefused;

  beforeEach(() => {
    now = 0;
    limits = new MemoryRateLimits({ now: () => now });
  });

  it('do not care what time it is said to be', async () => {
    const wallClock = jest.spyOn(Date, 'now').mockReturnValue(Date.UTC(2030, 0));
    limits = new MemoryRateLimits();
    expect([await take(), await take(), await take()]).toEqual([false, false, true]);
    wallClock.mockReturnValue(Date.UTC(2040, 0));
    expect(await take()).toBe(true);
    wallClock.mockReturnValue(Date.UTC(2020, 0));
    const { resetMs } = await limits.take('acme', 1, minute);
    expect(resetMs).toBeLessThanOrEqual(minute.windowMs);
    wallClock.mockRestore();
  });

  it('are dropped when their windows have ended, but no sooner', async () => {
    for (let i = 0; i < 5_000; i++) await take(`early ${i}`);
    now = minute.windowMs / 2;
    await take('late');
    await take('late');
    now = minute.windowMs;
    for (let i = 0; i < 5_000; i++) await take(`second ${i}`);
    expect(limits.size).toBeLessThan(10_000);
    expect(await take('late')).toBe(true);
  });

  it('serve Nest’s own guard, too', async () => {
    const increment = () => limits.increment('ip', 60_000, 1, 60_000, 'default');
    expect(await increment()).toEqual({
      totalHits: 1,
      timeToExpire: 60,
      isBlocked: false,
      timeToBlockExpire: 0,
    });
    expect(await increment()).toEqual({
      totalHits: 2,
      timeToExpire: 60,
      isBlocked: true,
      timeToBlockExpire: 60,
    });
  });
});
