import { setImmediate as nextTurn } from 'node:timers/promises';
import { InMemoryTenantStore } from '../registry/store/in-memory-tenant.store';
import type { Tenant } from '../registry/tenant';
import { TenantContext } from './tenant-context';

const tenant = (i: number) => ({ id: String(i), slug: `t${i}`, schemaName: `t_${i}` }) as Tenant;

/** A list of two pages, whose second cannot be read. */
class BrokenList extends InMemoryTenantStore {
  constructor(private readonly pages: number) {
    super();
  }
  #asked = 0;
  override list(): Promise<Tenant[]> {
    if (this.#asked++ === this.pages) return Promise.reject(new Error('registry is away'));
    return Promise.resolve(Array.from({ length: 100 }, (_, i) => tenant(i)));
  }
}

describe('eachTenant(), when the list cannot be read on', () => {
  it('settles when all work has ended, and tells the failures so far with it', async () => {
    let running = 0;
    const work = new TenantContext(new BrokenList(1)).eachTenant(
      async ({ slug }) => {
        running++;
        for (let turns = slug === 't99' ? 1 : 20; turns > 0; turns--) await nextTurn();
        running--;
        if (slug === 't98') throw new Error('broken');
      },
      { concurrency: 4 },
    );
    await expect(work).rejects.toMatchObject({
      code: 'TENANTS_FAILED',
      visited: 100,
      failures: [{ tenant: { slug: 't98' } }],
      listError: { message: 'registry is away' },
    });
    expect(running).toBe(0);
    await expect(work).rejects.toThrow(/1 of 100 .*t98 \(broken\).*registry is away/);
  });

  it.each([0, 1.5, 1_001, 1e9])('is not begun with a concurrency of %d', async (concurrency) => {
    const work = new TenantContext(new BrokenList(0)).eachTenant(() => undefined, { concurrency });
    await expect(work).rejects.toThrow(`concurrency must be an integer from 1 to 1000, got ${concurrency}.`);
  });

  it('is an outage like any other when nobody had a turn', async () => {
    const work = new TenantContext(new BrokenList(0)).eachTenant(() => undefined, { concurrency: 4 });
    await expect(work).rejects.toThrow('registry is away');
  });
});
