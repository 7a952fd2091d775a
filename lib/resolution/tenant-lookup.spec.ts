import { TenancyUnavailableError } from '../common/tenancy.errors';
import { InMemoryTenantStore } from '../tenant/in-memory-tenant.store';
import type { Tenant, TenantClaim } from '../tenant/tenant';
import type { NewTenant } from '../tenant/tenant.store';
import type { LookupCacheOptions } from './resolution.options';
import { TenantLookup } from './tenant-lookup';

const ACME: NewTenant = {
  id: '01890a5d-ac96-774b-bcce-b302099a8057',
  slug: 'acme',
  name: 'Acme',
  schemaName: 't_acme',
  status: 'active',
  domains: ['shop.acme.com'],
  metadata: {},
  templateVersion: null,
};
const GLOBEX: NewTenant = {
  ...ACME,
  id: '01890a5d-ac96-774b-bcce-b302099a8058',
  slug: 'globex',
  schemaName: 't_globex',
  domains: [],
};
const bySlug = (value: string): TenantClaim => ({ by: 'slug', value });

/** A store that notes what it was asked, and can be told to hold its answers back or to be down. */
class WatchedStore extends InMemoryTenantStore {
  readonly asked: TenantClaim[] = [];
  down = false;
  /** Answers leave the store only when this is settled; what they say is read before. */
  gate: Promise<void> = Promise.resolve();

  override async find(claim: TenantClaim): Promise<Tenant | undefined> {
    this.asked.push(claim);
    if (this.down) throw new TenancyUnavailableError('The registry');
    const answer = await super.find(claim);
    await this.gate;
    return answer;
  }
}

async function setUp(cache?: LookupCacheOptions) {
  const store = new WatchedStore();
  await store.insert(ACME);
  await store.insert(GLOBEX);
  const clock = { ms: 1_000, now: () => clock.ms };
  return { store, clock, lookup: new TenantLookup(store, { resolvers: [], cache }, clock) };
}

/** A promise and the function that settles it. */
function gate() {
  let open!: () => void;
  return { closed: new Promise<void>((resolve) => (open = resolve)), open: () => open() };
}

describe('TenantLookup', () => {
  it.each<TenantClaim>([
    bySlug('acme'),
    { by: 'id', value: ACME.id },
    { by: 'id', value: ACME.id.toUpperCase() },
    { by: 'domain', value: 'shop.acme.com' },
    { by: 'domain', value: 'SHOP.acme.com.' },
  ])('finds a tenant by $by $value, and asks the store once', async (claim) => {
    const { lookup, store } = await setUp();
    await expect(lookup.find(claim)).resolves.toMatchObject({ slug: 'acme' });
    await expect(lookup.find(claim)).resolves.toMatchObject({ slug: 'acme' });
    expect(store.asked).toHaveLength(1);
  });

  it('asks one question once, however many requests wait for the answer', async () => {
    const { lookup, store } = await setUp();
    const found = await Promise.all(Array.from({ length: 100 }, () => lookup.find(bySlug('acme'))));
    expect(new Set(found.map((tenant) => tenant?.slug))).toEqual(new Set(['acme']));
    expect(store.asked).toHaveLength(1);
  });

  it('serves an answer for ttlMs from the moment of its question, not of its arrival', async () => {
    const { lookup, store, clock } = await setUp({ ttlMs: 500 });
    const { closed, open } = gate();
    store.gate = closed;
    const first = lookup.find(bySlug('acme'));
    clock.ms += 400;
    open();
    await first;
    clock.ms += 100;
    await lookup.find(bySlug('acme'));
    expect(store.asked).toHaveLength(1);
    clock.ms += 1;
    await lookup.find(bySlug('acme'));
    expect(store.asked).toHaveLength(2);
  });

  it('remembers nothing with ttlMs 0', async () => {
    const { lookup, store } = await setUp({ ttlMs: 0 });
    for (const slug of ['acme', 'acme', 'nobody', 'nobody']) await lookup.find(bySlug(slug));
    expect(store.asked).toHaveLength(4);
  });

  it('remembers for a second at most that a name is nobody’s', async () => {
    const { lookup, store, clock } = await setUp({ ttlMs: 60_000 });
    await expect(lookup.find(bySlug('nobody'))).resolves.toBeUndefined();
    clock.ms += 1_000;
    await expect(lookup.find(bySlug('nobody'))).resolves.toBeUndefined();
    expect(store.asked).toHaveLength(1);
    clock.ms += 1;
    await lookup.find(bySlug('nobody'));
    expect(store.asked).toHaveLength(2);
  });

  it('keeps known tenants through a flood of guesses', async () => {
    const { lookup, store } = await setUp({ maxEntries: 10 });
    await lookup.find(bySlug('acme'));
    for (let i = 0; i < 100; i += 1) await lookup.find(bySlug(`guess-${i}`));
    store.asked.length = 0;
    await lookup.find(bySlug('acme'));
    expect(store.asked).toEqual([]);
  });

  it('remembers at most maxEntries tenants, the latest asked for', async () => {
    const { lookup, store } = await setUp({ maxEntries: 1 });
    for (const slug of ['acme', 'globex', 'globex', 'acme']) await lookup.find(bySlug(slug));
    expect(store.asked.map(({ value }) => value)).toEqual(['acme', 'globex', 'acme']);
  });

  it.each<TenantClaim>([
    bySlug(''),
    bySlug('a'.repeat(10_000)),
    bySlug("o'neil"),
    bySlug('acme\0'),
    bySlug('acme\n'),
    bySlug('ACME'),
    bySlug('аcme'),
    bySlug('xn--bcher-kva'),
    bySlug(ACME.id),
    { by: 'id', value: 'acme' },
    { by: 'id', value: `${ACME.id} ` },
    { by: 'domain', value: '127.0.0.1' },
    { by: 'domain', value: '[::1]' },
    { by: 'domain', value: `${'a'.repeat(10_000)}.com` },
  ])('never troubles the store with a malformed $by %#', async (claim) => {
    const { lookup, store } = await setUp();
    await expect(lookup.find(claim)).resolves.toBeUndefined();
    expect(store.asked).toEqual([]);
  });

  it('passes on that the store is down to all who wait, and asks again afterwards', async () => {
    const { lookup, store } = await setUp();
    store.down = true;
    const waiting = [lookup.find(bySlug('acme')), lookup.find(bySlug('acme'))];
    for (const { status } of await Promise.allSettled(waiting)) expect(status).toBe('rejected');
    await expect(lookup.find(bySlug('acme'))).rejects.toThrow(TenancyUnavailableError);
    expect(store.asked).toHaveLength(2);
    store.down = false;
    await expect(lookup.find(bySlug('acme'))).resolves.toMatchObject({ slug: 'acme' });
  });

  it('goes on serving a known tenant while the store is down, until its time is over', async () => {
    const { lookup, store, clock } = await setUp();
    await lookup.find(bySlug('acme'));
    store.down = true;
    await expect(lookup.find(bySlug('acme'))).resolves.toMatchObject({ slug: 'acme' });
    clock.ms += 1_001;
    await expect(lookup.find(bySlug('acme'))).rejects.toThrow(TenancyUnavailableError);
  });

  describe('forget', () => {
    it('drops a tenant under all its names, and no other tenant', async () => {
      const { lookup, store } = await setUp();
      const names: TenantClaim[] = [
        bySlug('acme'),
        { by: 'id', value: ACME.id },
        { by: 'domain', value: 'shop.acme.com' },
      ];
      for (const claim of [...names, bySlug('globex')]) await lookup.find(claim);
      store.asked.length = 0;
      lookup.forget(ACME);
      for (const claim of [...names, bySlug('globex')]) await lookup.find(claim);
      expect(store.asked).toEqual(names);
    });

    it('lets a tenant be found at once under a name that was nobody’s', async () => {
      const { lookup, store } = await setUp();
      await lookup.find(bySlug('acme-corp'));
      await store.update(ACME.id, { slug: 'acme-corp' });
      lookup.forget(ACME);
      await expect(lookup.find(bySlug('acme-corp'))).resolves.toMatchObject({ id: ACME.id });
    });

    it('does not keep an answer that was under way', async () => {
      const { lookup, store } = await setUp();
      const { closed, open } = gate();
      store.gate = closed;
      const before = lookup.find(bySlug('acme'));
      await store.update(ACME.id, { status: 'suspended' });
      lookup.forget(ACME);
      open();
      await expect(before).resolves.toMatchObject({ status: 'active' });
      await expect(lookup.find(bySlug('acme'))).resolves.toMatchObject({ status: 'suspended' });
    });

    it.each(['forget', 'clear'] as const)(
      'lets nobody wait for an answer from before the change: %s',
      async (method) => {
        const { lookup, store } = await setUp();
        const { closed, open } = gate();
        store.gate = closed;
        const before = lookup.find(bySlug('acme'));
        await store.update(ACME.id, { status: 'suspended' });
        lookup[method](ACME);
        const after = lookup.find(bySlug('acme'));
        open();
        await expect(after).resolves.toMatchObject({ status: 'suspended' });
        await before;
        await expect(lookup.find(bySlug('acme'))).resolves.toMatchObject({ status: 'suspended' });
        expect(store.asked).toHaveLength(2);
      },
    );
  });

  it('drops everything on clear', async () => {
    const { lookup, store } = await setUp();
    const claims = [bySlug('acme'), bySlug('globex'), bySlug('nobody')];
    for (const claim of claims) await lookup.find(claim);
    lookup.clear();
    for (const claim of claims) await lookup.find(claim);
    expect(store.asked).toEqual([...claims, ...claims]);
  });
});
