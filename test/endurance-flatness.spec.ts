import { type Sample, trends } from './support/endurance/flatness';

/** So many samples of a process, each as `at` says. */
function run(at: (index: number) => Partial<Sample>, count = 40): Sample[] {
  return Array.from({ length: count }, (_, index) => ({
    seconds: index,
    heapMb: 60,
    rssMb: 200,
    handles: 30,
    backends: 12,
    backendMb: 100,
    ...at(index),
  }));
}

function growing(samples: readonly Sample[]): string[] {
  return Object.entries(trends(samples)).flatMap(([measure, { isFlat }]) => (isFlat ? [] : [measure]));
}

describe('the verdict of the endurance run', () => {
  it('takes noise, and what the first quarter warms up, for flat', () => {
    expect(
      growing(run((i) => ({ heapMb: 60 + (i % 7), handles: 30 + (i % 3), backends: 12 + (i % 2) }))),
    ).toEqual([]);
    expect(growing(run((i) => ({ heapMb: Math.min(10 * i, 80), rssMb: Math.min(30 * i, 250) })))).toEqual([]);
    // One look in the middle of a collection, or of a reconnect.
    expect(growing(run((i) => (i === 38 ? { heapMb: 500, handles: 300 } : {})))).toEqual([]);
  });

  it.each([
    ['heapMb', (i: number) => ({ heapMb: 60 + i })],
    ['rssMb', (i: number) => ({ rssMb: 200 + 3 * i })],
    ['handles', (i: number) => ({ handles: 30 + Math.floor(i / 3) })],
    ['backends', (i: number) => ({ backends: 12 + Math.floor(i / 6) })],
  ])('calls %s that keeps growing by its name', (measure, at) => {
    expect(growing(run(at))).toEqual([measure]);
  });

  it('keeps what backends remember out of it, which follows the tenants that they have served', () => {
    expect(growing(run((i) => ({ backendMb: 100 + 10 * i })))).toEqual([]);
  });
});
