import { Logger } from '@nestjs/common';
import { CacheModule } from '@nestjs/cache-manager';
import { createCache } from 'cache-manager';
import { Keyv } from 'keyv';
import {
  TenancyModule,
  type Tenant,
  TenantConnection,
  TenantContext,
  TenantLifecycle,
  TenantPurge,
  TenantTransactions,
} from '../../lib';
import { TenancyCacheModule, type TenancyCacheOptions, TenantCache } from '../../lib/cache';
import { checkTenantAdapter } from '../../lib/testing';
import { cacheInstance, FaultyStore, type StoreFault } from '../support/cache-instances';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { ManualClock, settled } from '../support/manual-clock';
import { notesOptions } from '../support/notes';
import { startTestApp, type TestApp } from '../support/test-app';

const UNAVAILABLE = expect.objectContaining({ code: 'TENANCY_UNAVAILABLE', statusCode: 503 });

describe('TenantCache', () => {
  let database: TestDatabase;
  let running: TestApp;
  let context: TenantContext;
  let cache: TenantCache;
  let acme: Tenant;
  let globex: Tenant;

  beforeAll(async () => {
    database = await createTestDatabase();
    running = await startTestApp({
      imports: [
        TenancyModule.forRoot(notesOptions(database)),
        CacheModule.register(),
        TenancyCacheModule.forRoot({}),
      ],
    });
    context = running.app.get(TenantContext);
    cache = running.app.get(TenantCache);
    [acme, globex] = [await running.create({ slug: 'acme' }), await running.create({ slug: 'globex' })];
  });
  afterAll(async () => {
    await running?.close();
    await database.drop();
  });
  beforeEach(async () => {
    await cache.clear(acme);
    await cache.clear(globex);
  });
  afterEach(() => jest.restoreAllMocks());

  const inside = <T>(tenant: Tenant, work: () => T): T => context.run(tenant, work);
  const of = (tenant: Tenant, from = cache) => ({
    get: (key: string) => inside(tenant, () => from.get(key)),
    set: (key: string, value: unknown, ttlMs?: number) => inside(tenant, () => from.set(key, value, ttlMs)),
    del: (key: string) => inside(tenant, () => from.del(key)),
    clear: () => inside(tenant, () => from.clear()),
    wrap: <T>(key: string, load: () => T | Promise<T>) => inside(tenant, () => from.wrap(key, load)),
  });

  it('keeps the contract of an adapter', async () => {
    const adapter = {
      put: (key: string, value: string) => cache.set(key, value),
      get: (key: string) => cache.get<string>(key),
      clear: () => cache.clear(),
      enter: (work: () => Promise<void>) => cache.wrap(`work ${Math.random()}`, work),
    };
    expect(await checkTenantAdapter({ app: running.app, ...adapter })).toEqual([]);
  });

  it.each([null, false, 0, '', 'tea', [1, { a: null }], { __proto__: null, a: 1 }, 'x'.repeat(20_000_000)])(
    'gives back what it was given (%#)',
    async (value) => {
      await of(acme).set('key', value);
      await expect(of(acme).get('key')).resolves.toEqual(value);
      const inJson = cacheInstance(context, createCache({ stores: [new Keyv()] }));
      await of(acme, inJson).set('key', value);
      await expect(of(acme, inJson).get('key')).resolves.toEqual(value);
    },
  );

  it('refuses undefined, keys that are no texts, and times that are none', async () => {
    await expect(of(acme).set('key', undefined)).rejects.toThrow(TypeError);
    await expect(of(acme).get(7 as never)).rejects.toThrow(TypeError);
    for (const ttlMs of [0, -1, 1.5, NaN, Infinity, '5' as never])
      await expect(of(acme).set('key', 'tea', ttlMs)).rejects.toThrow(RangeError);
  });

  it('tells all keys apart, whatever is in them', async () => {
    const long = 'k'.repeat(5_000);
    const keys = [
      '',
      'a',
      'a:b',
      'a b',
      '=a',
      '#a',
      '__proto__',
      'constructor',
      '\0',
      '\n',
      '💶',
      'Ä',
      'A\u0308',
    ];
    keys.push(long, `${long}l`, '\ud800', '\ud801', '\ufffd', `${globex.schemaName}:=a`, '../a', '*', '%3A');
    for (const key of keys) await of(acme).set(key, `of ${key}`);
    for (const key of keys) {
      await expect(of(acme).get(key)).resolves.toBe(`of ${key}`);
      await expect(of(globex).get(key)).resolves.toBeUndefined();
    }
    const found = await inside(acme, () => cache.mget([...keys, 'nothing']));
    expect(found).toEqual([...keys.map((key) => `of ${key}`), undefined]);
  });

  it('keeps several at once, and each for its time', async () => {
    const now = Date.now();
    await inside(acme, () =>
      cache.mset([
        { key: 'short', value: 1, ttlMs: 1_000 },
        { key: 'usual', value: 2 },
      ]),
    );
    const at = (ms: number) => {
      jest.spyOn(Date, 'now').mockReturnValue(now + ms);
      return inside(acme, () => cache.mget(['short', 'usual']));
    };
    expect(await at(500)).toEqual([1, 2]);
    expect(await at(10_000)).toEqual([undefined, 2]);
    expect(await at(310_000)).toEqual([undefined, undefined]);
  });

  it('forgets one value, or all of a tenant, and nothing of another', async () => {
    for (const tenant of [acme, globex]) await of(tenant).set('key', tenant.slug);
    await of(acme).del('key');
    await of(acme).del('nothing');
    expect([await of(acme).get('key'), await of(globex).get('key')]).toEqual([undefined, 'globex']);
    await of(acme).set('key', 'again');
    await of(acme).clear();
    expect([await of(acme).get('key'), await of(globex).get('key')]).toEqual([undefined, 'globex']);
  });

  describe('wrap()', () => {
    it('loads once for all who ask at once, and for each tenant its own', async () => {
      const loads: string[] = [];
      const load = async () => {
        const { slug } = context.tenant();
        await new Promise(setImmediate);
        loads.push(slug);
        return `of ${context.tenant().slug}`;
      };
      const asked = Array.from({ length: 20 }, (_, i) => of(i % 2 ? acme : globex).wrap('key', load));
      const values = await Promise.all(asked);
      expect(loads.sort()).toEqual(['acme', 'globex']);
      expect(values.every((value, i) => value === (i % 2 ? 'of acme' : 'of globex'))).toBe(true);
      await expect(of(acme).wrap('key', () => 'asked again')).resolves.toBe('of acme');
    });

    it('keeps neither a failure nor undefined', async () => {
      const fail = () => Promise.reject(new Error('on purpose'));
      const both = [of(acme).wrap('key', fail), of(acme).wrap('key', () => 'joined')];
      expect(await Promise.allSettled(both)).toMatchObject([{ status: 'rejected' }, { status: 'rejected' }]);
      await expect(of(acme).wrap('key', () => undefined)).resolves.toBeUndefined();
      await expect(of(acme).wrap('key', () => null)).resolves.toBeNull();
      await expect(of(acme).wrap('key', () => 'asked again')).resolves.toBeNull();
    });

    it.each(['set', 'del', 'clear'] as const)('keeps nothing that a %s() has outdated', async (change) => {
      const loaded = of(acme).wrap('key', async () => {
        await (change === 'set' ? of(acme).set('key', 'new') : of(acme)[change]('key'));
        return 'old';
      });
      await expect(loaded).resolves.toBe('old');
      const next = await of(acme).wrap('key', () => 'new');
      expect([next, await of(acme).get('key')]).toEqual(['new', 'new']);
    });

    it('sees nothing that a transaction of its caller may roll back', async () => {
      const connection = running.app.get(TenantConnection);
      const texts = () => connection.query<{ text: string }[]>('SELECT text FROM note');
      const work = async () => {
        await connection.query(`INSERT INTO note (text) VALUES ('never committed')`);
        await cache.wrap('notes', texts);
        throw new Error('on purpose');
      };
      await expect(inside(acme, () => running.app.get(TenantTransactions).run(work))).rejects.toThrow(
        'on purpose',
      );
      await expect(of(acme).get('notes')).resolves.toEqual([]);
    });
  });

  describe('of several instances', () => {
    const instances = (options: TenancyCacheOptions = {}) => {
      const shared = createCache({ stores: [new Keyv()] });
      const clock = new ManualClock();
      return {
        shared,
        clock,
        one: cacheInstance(context, shared, options, clock),
        two: cacheInstance(context, shared, options, clock),
      };
    };

    it('shares values, and gives none that another has cleared after clearedWithinMs', async () => {
      const { clock, one, two } = instances();
      await of(acme, one).set('key', 'old');
      await expect(of(acme, two).get('key')).resolves.toBe('old');
      await of(acme, one).clear();
      await expect(of(acme, one).get('key')).resolves.toBeUndefined();
      // What it keeps by then, nobody finds later.
      await of(acme, two).set('late', 'old');
      await clock.advance(1_000);
      expect([await of(acme, two).get('key'), await of(acme, two).get('late')]).toEqual([
        undefined,
        undefined,
      ]);
      await of(acme, one).set('key', 'new');
      await expect(of(acme, two).get('key')).resolves.toBe('new');
    });

    it('at once with 0', async () => {
      const { one, two } = instances({ clearedWithinMs: 0 });
      await of(acme, one).set('key', 'old');
      await expect(of(acme, two).get('key')).resolves.toBe('old');
      await of(acme, one).clear();
      await expect(of(acme, two).get('key')).resolves.toBeUndefined();
    });

    it('does so behind a level in each instance, too', async () => {
      const shared = new Keyv();
      const clock = new ManualClock();
      const [one, two] = [1, 2].map(() =>
        cacheInstance(context, createCache({ stores: [new Keyv(), shared] }), {}, clock),
      );
      await of(acme, one).set('key', 'old');
      await expect(of(acme, two).get('key')).resolves.toBe('old');
      await of(acme, one).clear();
      await clock.advance(1_000);
      await expect(of(acme, two).get('key')).resolves.toBeUndefined();
    });

    it('brings nothing back when the store has lost all it had', async () => {
      const { shared, clock, one } = instances();
      await of(acme, one).set('key', 'old');
      const [store] = shared.stores;
      const map = store.store as Map<string, string>;
      const kept = [...map];
      await shared.clear();
      await clock.advance(1_000);
      await expect(of(acme, one).get('key')).resolves.toBeUndefined();
      for (const [key, value] of kept) if (key.includes('=key')) map.set(key, value);
      await expect(of(acme, one).get('key')).resolves.toBeUndefined();
    });

    it('frees in this process what was cleared, also by another, and nothing else', async () => {
      const shared = new Keyv({ store: new FaultyStore() as never });
      const clock = new ManualClock();
      const [one, two] = [1, 2].map(() => {
        const map = new Map<string, unknown>();
        const stores = [new Keyv({ store: map }), shared];
        return { map, cache: cacheInstance(context, createCache({ stores }), {}, clock) };
      });
      for (const { cache: own } of [one, two])
        for (const tenant of [acme, globex])
          for (let i = 0; i < 2_000; i++) await of(tenant, own).set(`${i}`, i);
      await of(acme, one.cache).clear();
      for (let second = 0; second < 2; second++) {
        await clock.advance(1_000);
        await of(acme, two.cache).get('1');
        for (let i = 0; i < 10; i++) await settled();
      }
      await clock.advance(1_000);
      for (let i = 0; i < 10; i++) await settled();
      expect([one.map.size, two.map.size]).toEqual([2_000, 2_000]);
      await expect(of(globex, one.cache).get('1')).resolves.toBe(1);
    });

    it('finds no value of another version, and clears those of all', async () => {
      const { shared, clock, one } = instances();
      const next = cacheInstance(context, shared, { version: '2' }, clock);
      await of(acme, one).set('key', 'of 1');
      await expect(of(acme, next).get('key')).resolves.toBeUndefined();
      await of(acme, next).set('key', 'of 2');
      await expect(of(acme, one).get('key')).resolves.toBe('of 1');
      await of(acme, one).clear();
      await clock.advance(1_000);
      await expect(of(acme, next).get('key')).resolves.toBeUndefined();
    });

    it('of two applications with prefixes of their own never meet', async () => {
      const { shared, one } = instances();
      const other = cacheInstance(context, shared, { keyPrefix: 'other' });
      await of(acme, one).set('key', 'of one');
      await of(acme, other).clear();
      expect([await of(acme, other).get('key'), await of(acme, one).get('key')]).toEqual([
        undefined,
        'of one',
      ]);
    });
  });

  describe('while its store is away', () => {
    const away = async (
      fault: StoreFault,
      use: (the: { store: FaultyStore; clock: ManualClock; own: TenantCache }) => Promise<void>,
    ) => {
      const store = new FaultyStore();
      const clock = new ManualClock();
      const stores = [new Keyv({ store: store as never })];
      const own = cacheInstance(context, createCache({ stores }), { timeoutMs: 30 }, clock);
      await of(acme, own).set('key', 'old');
      store.fault = fault;
      await use({ store, clock, own });
    };

    it.each<StoreFault>(['error', 'silence', 'lost'])('has no values, for %s, and computes them', (fault) =>
      away(fault, async ({ store, clock, own }) => {
        await expect(of(acme, own).get('key')).resolves.toBeUndefined();
        await expect(of(acme, own).set('key', 'new')).resolves.toBeUndefined();
        await expect(of(acme, own).wrap('key', () => 'computed')).resolves.toBe('computed');
        await expect(inside(acme, () => own.mget(['key']))).resolves.toEqual([undefined]);
        store.fault = 'none';
        await clock.advance(1_000);
        await expect(of(acme, own).get('key')).resolves.toBe('old');
      }),
    );

    it.each<StoreFault>(['error', 'silence', 'lost'])(
      'does not say, for %s, that it has forgotten anything',
      (fault) =>
        away(fault, async ({ store, clock, own }) => {
          await expect(of(acme, own).clear()).rejects.toEqual(UNAVAILABLE);
          await expect(of(acme, own).del('key')).rejects.toEqual(UNAVAILABLE);
          store.fault = 'none';
          await clock.advance(1_000);
          await of(acme, own).clear();
          await expect(of(acme, own).get('key')).resolves.toBeUndefined();
        }),
    );

    it('says so once a minute', () =>
      away('error', async ({ clock, own }) => {
        const log = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
        for (let i = 0; i < 20; i++) await of(acme, own).set('key', 'new');
        expect(log.mock.calls).toEqual([[expect.stringContaining('the store is away')]]);
        await clock.advance(60_000);
        await of(acme, own).set('key', 'new');
        await of(acme, own).set('key', 'new');
        expect(log.mock.calls.length).toBe(2);
      }));

    it('waits for it once, and then asks again each second', () =>
      away('silence', async ({ store, clock, own }) => {
        await of(acme, own).get('key');
        const { asked } = store;
        for (let i = 0; i < 20; i++) await of(acme, own).get('key');
        expect(store.asked).toBe(asked);
        await clock.advance(1_000);
        await of(acme, own).get('key');
        expect(store.asked).toBe(asked + 1);
      }));
  });

  it('removes with a purge what it has, and is gone with the application', async () => {
    const { id } = await running.create({ slug: 'initech' });
    const initech = await running.app.get(TenantLifecycle).get(id);
    await of(initech).set('key', 'tea');
    await running.app.get(TenantLifecycle).delete(id);
    await expect(of(initech).get('key')).resolves.toBe('tea');
    await running.app.get(TenantPurge).purge(id);
    await expect(of(initech).get('key')).resolves.toBeUndefined();
  });

  it('tells at the start that there is no cache manager', async () => {
    const imports = [TenancyModule.forRoot(notesOptions(database)), TenancyCacheModule.forRoot({})];
    await expect(startTestApp({ imports })).rejects.toMatchObject({
      code: 'MODULE_MISSING',
      message: expect.stringContaining('CacheModule of @nestjs/cache-manager'),
    });
    const wrong = { ttlMs: 0, cache: {}, clearedWithinMs: -1 } as never;
    await expect(
      startTestApp({ imports: [imports[0], TenancyCacheModule.forRoot(wrong)] }),
    ).rejects.toMatchObject({
      code: 'CACHE_OPTIONS_INVALID',
      message: expect.stringMatching(/ttlMs.*clearedWithinMs/s),
    });
  });
});
