import { TenancyUnavailableError } from '../../common/tenancy.errors';
import { normalizeClaim } from '../claim';
import { InMemoryTenantStore } from '../store/in-memory-tenant.store';
import type { Tenant, TenantClaim } from '../tenant';
import type { NewTenant } from '../store/tenant.store';
import { TenantChangeFeed, type TenantChangeSubscriber } from '../changes/tenant-changes';
import { cpuTimeOf } from '../../../test/support/cpu-time';
import { ManualClock } from '../../../test/support/manual-clock';
import { claimNameOf, TenantLookup } from './tenant-lookup';
import type { LookupCacheOptions } from './lookup-cache.options';
import { RegistryLookups } from './registry-lookup';

const ACME: NewTenant = {
  id: '01890a5d-ac96-774b-bcce-b302099a8057',
  slug: 'acme',
  name: 'Acme',
  schemaName: 't_acme',
  status: 'active',
  domains: ['shop.acme.com'],
  metadata: {},
  templateVersion: null,
  schemaVersion: null,
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
  error?: Error;
  answerToAll?: Tenant;
  /** Answers leave the store only when this is settled; what they say is read before. */
  gate: Promise<void> = Promise.resolve();

  override async find(claim: TenantClaim): Promise<Tenant | undefined> {
    this.asked.push(claim);
    if (this.error) throw this.error;
    if (this.down) throw new TenancyUnavailableError('The registry');
    const answer = this.answerToAll ?? (await super.find(claim));
    await this.gate;
    return answer;
  }
}

/** A feed that a test speaks through. */
class SpokenFeed extends TenantChangeFeed {
  provenAt = -Infinity;
  subscriber!: TenantChangeSubscriber;

  subscribe(subscriber: TenantChangeSubscriber): void {
    this.subscriber = subscriber;
  }
}

async function setUp(cache?: LookupCacheOptions) {
  const store = new WatchedStore();
  await store.insert(ACME);
  await store.insert(GLOBEX);
  const clock = new ManualClock();
  const feed = new SpokenFeed();
  const lookup = new TenantLookup(store, { cache }, new RegistryLookups(clock, feed));
  const find = (slug: string) => lookup.find(bySlug(slug));
  /** Goes on with the time, while the feed proves again and again that it hears. */
  const advanceHearing = async (ms: number) => {
    for (let left = ms; left > 0; left -= 500) {
      await clock.advance(Math.min(left, 500));
      feed.provenAt = clock.now();
    }
  };
  return { store, clock, feed, lookup, find, advanceHearing };
}

/** A promise and the function that settles it. */
function gate() {
  let open!: () => void;
  return { closed: new Promise<void>((resolve) => (open = resolve)), open: () => open() };
}

/** What a look-up finds, and after how many milliseconds of the clock. */
async function when(clock: ManualClock, answer: Promise<Tenant | undefined>) {
  const start = clock.now();
  const tenant = await answer;
  return { ms: clock.now() - start, slug: tenant?.slug };
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
    await clock.advance(400);
    open();
    await first;
    await clock.advance(100);
    await lookup.find(bySlug('acme'));
    expect(store.asked).toHaveLength(1);
    await clock.advance(1);
    await lookup.find(bySlug('acme'));
    expect(store.asked).toHaveLength(2);
  });

  it('remembers nothing with ttlMs 0', async () => {
    const { lookup, store } = await setUp({ ttlMs: 0 });
    for (const slug of ['acme', 'acme', 'nobody', 'nobody']) await lookup.find(bySlug(slug));
    expect(store.asked).toHaveLength(4);
  });

  it('remembers for a second at most that a name is nobody’s', async () => {
    const { find, store, clock, advanceHearing } = await setUp({ ttlMs: 60_000 });
    await expect(find('nobody')).resolves.toBeUndefined();
    await advanceHearing(1_000);
    await expect(find('nobody')).resolves.toBeUndefined();
    expect(store.asked).toHaveLength(1);
    await clock.advance(1);
    await find('nobody');
    expect(store.asked).toHaveLength(2);
  });

  it('keeps known tenants through a flood of guesses', async () => {
    const { lookup, store } = await setUp({ maxEntries: 10 });
    await lookup.find(bySlug('acme'));
    await Promise.all(Array.from({ length: 100 }, (_, i) => lookup.find(bySlug(`guess-${i}`))));
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
  ])(
    'asks the store as often for a malformed $by as for an unknown one, but never with its value: %#',
    async (claim) => {
      const { lookup, store, clock } = await setUp();
      await expect(lookup.find(claim)).resolves.toBeUndefined();
      await expect(lookup.find(claim)).resolves.toBeUndefined();
      expect(store.asked).toEqual([{ by: claim.by, value: expect.any(String) }]);
      const [question] = store.asked;
      expect(normalizeClaim(question)).toEqual(question);
      expect(question.value).not.toContain(claim.value.slice(0, 10) || 'acme');
      await clock.advance(1_001);
      await lookup.find(claim);
      expect(store.asked).toEqual([question, { by: claim.by, value: expect.any(String) }]);
    },
  );

  it('finds nobody by a malformed claim, though the store finds somebody by any name', async () => {
    const { lookup, store } = await setUp();
    store.answerToAll = await store.find({ by: 'id', value: ACME.id });
    for (let round = 0; round < 2; round += 1)
      await expect(lookup.find(bySlug("o'neil"))).resolves.toBeUndefined();
    expect(lookup.remembered(bySlug("o'neil"))).toBeUndefined();
    expect(lookup.size).toMatchObject({ tenants: 0, absent: 1 });
  });

  it('tells malformed names apart, however long, and remembers little of them', async () => {
    const { lookup, store } = await setUp();
    const values = ['A', 'A'.repeat(256), 'A'.repeat(257), 'A'.repeat(16_000), 'A'.repeat(16_001)];
    for (const value of [...values, ...values]) await lookup.find(bySlug(value));
    expect(store.asked).toHaveLength(values.length);
    for (const value of values) expect(claimNameOf(bySlug(value)).key.length).toBeLessThan(300);
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

  describe('while the store is down', () => {
    const known = async (cache?: LookupCacheOptions) => {
      const all = await setUp(cache);
      await all.find('acme');
      all.store.down = true;
      return all;
    };

    it('goes on serving a known tenant for staleIfErrorMs, and no other', async () => {
      const { find, clock } = await known({ staleIfErrorMs: 5_000 });
      await clock.advance(5_000);
      await expect(find('acme')).resolves.toMatchObject({ slug: 'acme' });
      await expect(find('globex')).rejects.toThrow(TenancyUnavailableError);
      await expect(find('nobody')).rejects.toThrow(TenancyUnavailableError);
      await clock.advance(1);
      await expect(find('acme')).rejects.toThrow(TenancyUnavailableError);
    });

    it('counts from when the tenant was last known to be as it is', async () => {
      const { find, store, clock, advanceHearing } = await setUp({ staleIfErrorMs: 5_000 });
      await find('acme');
      await advanceHearing(50_000);
      store.down = true;
      await clock.advance(5_000);
      await expect(find('acme')).resolves.toMatchObject({ slug: 'acme' });
      await clock.advance(1);
      await expect(find('acme')).rejects.toThrow(TenancyUnavailableError);
    });

    it.each([{ staleIfErrorMs: 0 }, { ttlMs: 0 }])(
      'serves nobody beyond their time with %j',
      async (cache) => {
        const { find, clock } = await known(cache);
        await clock.advance(801);
        await expect(find('acme')).rejects.toThrow(TenancyUnavailableError);
      },
    );

    it('serves nobody on for an error that is no outage', async () => {
      const { find, store, clock } = await known();
      store.error = new Error('permission denied');
      await clock.advance(801);
      await expect(find('acme')).rejects.toThrow('permission denied');
    });

    it('does not serve a tenant again that it knew to be gone', async () => {
      const { find, store, clock } = await setUp();
      await find('acme');
      await store.remove(ACME.id);
      await clock.advance(801);
      await expect(find('acme')).resolves.toBeUndefined();
      store.down = true;
      await clock.advance(1_001);
      await expect(find('acme')).rejects.toThrow(TenancyUnavailableError);
    });

    it('does not serve a tenant that was changed, as far as was told', async () => {
      const { find, feed, clock } = await known();
      feed.subscriber.changed(ACME.id);
      await clock.advance(801);
      await expect(find('acme')).rejects.toThrow(TenancyUnavailableError);
    });

    it('serves a known tenant on though the feed began anew', async () => {
      const { find, feed } = await known();
      feed.subscriber.begun();
      await expect(find('acme')).resolves.toMatchObject({ slug: 'acme' });
    });

    it('counts so though the feed began anew meanwhile', async () => {
      const { find, store, feed, clock, advanceHearing } = await setUp({ staleIfErrorMs: 5_000 });
      await find('acme');
      await advanceHearing(50_000);
      store.down = true;
      await clock.advance(2_000);
      feed.subscriber.begun();
      await clock.advance(1);
      feed.provenAt = clock.now();
      await clock.advance(2_999);
      await expect(find('acme')).resolves.toMatchObject({ slug: 'acme' });
      await clock.advance(1);
      await expect(find('acme')).rejects.toThrow(TenancyUnavailableError);
    });

    it('waits for a store that hangs for 5 s, then for 0.3 s, and for one that is back', async () => {
      const { find, store, clock } = await setUp();
      await find('acme');
      await clock.advance(801);
      const { closed, open } = gate();
      store.gate = closed;
      const first = when(clock, find('acme'));
      const other = when(clock, find('globex'));
      await clock.advance(5_000);
      await expect(first).resolves.toEqual({ ms: 5_000, slug: 'acme' });
      const second = when(clock, find('acme'));
      await clock.advance(300);
      await expect(second).resolves.toEqual({ ms: 300, slug: 'acme' });
      await store.update(ACME.id, { status: 'suspended' });
      store.gate = Promise.resolve();
      open();
      await expect(other).resolves.toEqual({ ms: 5_300, slug: 'globex' });
      await expect(find('acme')).resolves.toMatchObject({ status: 'suspended' });
    });
  });

  describe('with a feed of changes', () => {
    it('serves an answer for ttlMs, 60 s unless told otherwise, while the feed hears', async () => {
      for (const [cache, ttlMs] of [
        [undefined, 60_000],
        [{ ttlMs: 2_000 }, 2_000],
      ] as const) {
        const { find, store, clock, advanceHearing } = await setUp(cache);
        await find('acme');
        await advanceHearing(ttlMs);
        await find('acme');
        expect(store.asked).toHaveLength(1);
        await clock.advance(1);
        await find('acme');
        expect(store.asked).toHaveLength(2);
      }
    });

    it('trusts an answer for 800 ms from the last proof that the feed hears', async () => {
      const { find, store, clock, advanceHearing } = await setUp();
      await find('acme');
      await advanceHearing(10_000);
      await clock.advance(800);
      await find('acme');
      expect(store.asked).toHaveLength(1);
      await clock.advance(1);
      await find('acme');
      expect(store.asked).toHaveLength(2);
    });

    it('trusts it for 800 ms from its question where nothing hears at all', async () => {
      const { find, store, clock } = await setUp();
      for (const slug of ['acme', 'nobody']) await find(slug);
      await clock.advance(800);
      for (const slug of ['acme', 'nobody']) await find(slug);
      expect(store.asked).toHaveLength(2);
      await clock.advance(1);
      for (const slug of ['acme', 'nobody']) await find(slug);
      expect(store.asked).toHaveLength(4);
    });

    it('forgets a tenant that was changed, and finds one that was made', async () => {
      const { find, store, feed } = await setUp();
      for (const slug of ['acme', 'globex', 'later']) await find(slug);
      await store.update(ACME.id, { status: 'suspended', slug: 'later' });
      feed.subscriber.changed(ACME.id);
      await expect(find('acme')).resolves.toBeUndefined();
      await expect(find('later')).resolves.toMatchObject({ status: 'suspended' });
      store.asked.length = 0;
      await find('globex');
      expect(store.asked).toEqual([]);
    });

    it('does not keep an answer that was under way when its tenant was changed', async () => {
      const { find, store, feed } = await setUp();
      const { closed, open } = gate();
      store.gate = closed;
      const before = find('acme');
      await store.update(ACME.id, { status: 'suspended' });
      feed.subscriber.changed(ACME.id);
      open();
      await before;
      await expect(find('acme')).resolves.toMatchObject({ status: 'suspended' });
    });

    it.each([
      ['began (again)', (subscriber: TenantChangeSubscriber) => subscriber.begun()],
      ['tells of a change of all', (subscriber: TenantChangeSubscriber) => subscriber.changed()],
    ])('asks for everything anew when it %s', async (_when, tell) => {
      const { find, store, feed, clock } = await setUp();
      const { closed, open } = gate();
      for (const slug of ['acme', 'nobody']) await find(slug);
      store.gate = closed;
      const underWay = find('globex');
      await clock.advance(1);
      tell(feed.subscriber);
      open();
      await underWay;
      feed.provenAt = clock.now();
      store.asked.length = 0;
      for (const slug of ['acme', 'nobody', 'globex']) await find(slug);
      expect(store.asked.map(({ value }) => value)).toEqual(['acme', 'nobody', 'globex']);
    });

    it('forgets a hundred thousand changed tenants in a moment', async () => {
      const { lookup, find, store, feed } = await setUp();
      store.answerToAll = await store.find(bySlug('acme'));
      await Promise.all(['acme', ...Array.from({ length: 9_999 }, (_, index) => `acme-${index}`)].map(find));
      expect(lookup.size.tenants).toBe(10_000);
      const ids = Array.from({ length: 100_000 }, (_, index) => `other-${index}`);
      const tellAll = () => ids.forEach((id) => feed.subscriber.changed(id));
      expect(cpuTimeOf(tellAll)).toBeLessThan(2_000);
      expect(lookup.remembered(bySlug('acme'))).toBeDefined();
    });
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
