import { FAILING_AFTER, holdAfter, parseRetryAfter, RETRY_DELAYS_MS, retryDelay } from './retry-schedule';

const early = () => 0;
const late = () => 1;

it('makes ten attempts at the times that the specification lists, and then none', () => {
  const times = RETRY_DELAYS_MS.reduce<number[]>(
    (sums, _delay, index) => [...sums, sums.at(-1)! + retryDelay(index + 1, 0, early)!],
    [0],
  );
  const clock = (ms: number): string => {
    const parts = [ms / 3_600_000, (ms / 60_000) % 60, (ms / 1_000) % 60];
    return parts.map((part) => `${Math.floor(part)}`.padStart(2, '0')).join(':');
  };
  expect(times.map(clock)).toEqual([
    ...['00:00:00', '00:00:05', '00:05:05', '00:35:05', '02:35:05'],
    ...['07:35:05', '17:35:05', '31:35:05', '51:35:05', '75:35:05'],
  ]);
  expect(retryDelay(10, 0, early)).toBeUndefined();
});

it('spreads the attempts over a tenth more, never earlier than listed', () => {
  expect(retryDelay(2, 0, early)).toBe(300_000);
  expect(retryDelay(2, 0, late)).toBe(330_000);
});

it('comes no earlier than the receiver asks for, and never later for it than a day', () => {
  const now = new Date('2026-11-30T12:00:00Z');
  expect(parseRetryAfter('120', now)).toBe(120_000);
  expect(parseRetryAfter('Mon, 30 Nov 2026 12:02:00 GMT', now)).toBe(120_000);
  expect(parseRetryAfter('999999999', now)).toBe(86_400_000);
  for (const nonsense of [undefined, '', 'soon', '-5', 'Mon, 30 Nov 2020 12:00:00 GMT'])
    expect(parseRetryAfter(nonsense, now)).toBe(0);
  expect(retryDelay(1, 120_000, early)).toBe(120_000);
  expect(retryDelay(3, 120_000, early)).toBe(1_800_000);
});

it('leaves an endpoint that fails alone for longer each time, up to five minutes', () => {
  const holds = Array.from({ length: 12 }, (_none, failures) => holdAfter(failures, 0, early) / 1_000);
  expect(holds).toEqual([0, 0, 0, 5, 10, 20, 40, 80, 160, 300, 300, 300]);
  expect(FAILING_AFTER).toBe(3);
  expect(holdAfter(1_000_000, 0, late)).toBe(330_000);
  expect(holdAfter(1, 60_000, early)).toBe(60_000);
});
