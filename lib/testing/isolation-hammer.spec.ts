import { runIsolationHammer } from './isolation-hammer';
import type { IsolationHammerOptions } from './isolation-hammer.options';

const options: IsolationHammerOptions = {
  tenants: ['acme', 'globex'],
  kinds: { read: ({ stamp }) => Promise.resolve(stamp) },
  readAll: () => Promise.resolve([]),
  operations: 50,
};

describe('runIsolationHammer()', () => {
  it.each<[string, Partial<IsolationHammerOptions>]>([
    ['tenants', { tenants: ['acme'] }],
    ['tenants', { tenants: ['acme', 'acme'] }],
    ['kinds', { kinds: {} }],
    ['weights', { weights: { read: 0 } }],
    ['weights', { weights: { write: 1 } }],
    ['operations', { operations: 0 }],
    ['operations', { operations: NaN }],
    ['concurrency', { concurrency: 1.5 }],
    ['operationsPerFault', { operationsPerFault: 0 }],
    ['seed', { seed: 2 ** 32 }],
  ])('refuses bad %s: %j', async (name, bad) => {
    await expect(runIsolationHammer({ ...options, ...bad })).rejects.toThrow(
      new RegExp(`^runIsolationHammer\\(\\): ${name} `),
    );
  });

  it('draws the same for the same seed', async () => {
    const drawn = async (seed: number) => {
      const names: string[] = [];
      const note =
        (name: string) =>
        ({ tenant }: { tenant: string }) => {
          names.push(`${name} ${tenant}`);
          return Promise.resolve();
        };
      const kinds = { a: note('a'), b: note('b'), see: options.kinds.read };
      await runIsolationHammer({ ...options, kinds, seed, concurrency: 1 });
      return names;
    };
    expect(await drawn(7)).toEqual(await drawn(7));
    expect(await drawn(7)).not.toEqual(await drawn(8));
  });

  it('counts what does not end as a finding, and goes on with the other callers', async () => {
    let first = true;
    const hangOnce = () => {
      const hangs = first;
      first = false;
      return hangs ? new Promise(() => undefined) : Promise.resolve();
    };
    const report = await runIsolationHammer({ ...options, kinds: { hangOnce }, timeoutMs: 5 });
    expect(report).toMatchObject({ hangs: 1, findings: ['hangOnce did not end'] });
  });

  it('says so when it has read nothing', async () => {
    const kinds = { nothing: () => Promise.resolve() };
    await expect(runIsolationHammer({ ...options, kinds })).rejects.toMatchObject({ code: 'HAMMER_BLIND' });
  });

  it('ends at the first finding when told to', async () => {
    let calls = 0;
    const wrong = (call: { wrong(finding: string): void }) => {
      calls++;
      call.wrong('was served');
      return Promise.resolve();
    };
    const told: string[] = [];
    const onFinding = (finding: string) => void told.push(finding);
    const ways = { concurrency: 1, stopAtFinding: true, onFinding };
    const report = await runIsolationHammer({ ...options, ...ways, kinds: { wrong }, operations: 10_000 });
    expect(report.findings[0]).toMatch(/^(acme|globex): was served$/);
    expect(told).toEqual(report.findings);
    expect(calls).toBeLessThan(10_000);
  });
});
