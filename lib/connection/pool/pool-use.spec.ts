import { PoolCounters } from './pool-use';

describe('Counters of a pool', () => {
  it('remember a bounded number of tenants, the latest, and everything in the sums', () => {
    const counters = new PoolCounters();
    for (let i = 0; i < 10_050; i++) {
      counters.acquire(`tenant ${i}`)(2);
      counters.acquire('always there')(1);
    }
    expect(counters.tenants).toHaveLength(10_000);
    expect(counters.loadOf('tenant 0')).toBeUndefined();
    expect(counters.loadOf('always there')).toMatchObject({ active: 0, leases: 10_050, queryMs: 10_050 });
    expect(counters).toMatchObject({ leases: 20_100, queryMs: 30_150 });
  });

  it('count no tenant for what belongs to nobody', () => {
    const counters = new PoolCounters();
    counters.acquire(undefined)(5);
    counters.waited(undefined, 5);
    counters.refuse(undefined);
    expect(counters.tenants).toEqual([]);
    expect(counters).toMatchObject({ leases: 1, queryMs: 5, waits: 1, waitedMs: 5, refused: 1 });
  });
});
