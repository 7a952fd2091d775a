import { setImmediate } from 'node:timers/promises';
import KeyvRedis from '@keyv/redis';
import { CacheModule } from '@nestjs/cache-manager';
import { Redis } from 'ioredis';
import { TenancyModule, type Tenant, TenantContext, TenantLifecycle, TenantPurge } from '../../lib';
import { TenancyCacheModule, TenantCache } from '../../lib/cache';
import { checkTenantAdapter } from '../../lib/testing';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { writeExamples } from '../support/examples';
import { notesOptions } from '../support/notes';
import { type TestRedis, startRedis } from '../support/system/redis';
import { startTestApp, type TestApp } from '../support/test-app';

const UNAVAILABLE = expect.objectContaining({ code: 'TENANCY_UNAVAILABLE', statusCode: 503 });

/** Two instances. The second has the client as it is by default, which lets commands wait for a Redis that is away. */
describe('TenantCache of two instances that share a Redis', () => {
  let redis: TestRedis;
  let database: TestDatabase;
  let apps: TestApp[] = [];
  let client: Redis;
  let acme: Tenant;
  let globex: Tenant;

  const start = (disableOfflineQueue: boolean) => {
    const socket = { port: redis.port, host: '127.0.0.1', reconnectStrategy: () => 20 };
    return startTestApp({
      imports: [
        TenancyModule.forRoot(notesOptions(database)),
        CacheModule.registerAsync({
          useFactory: () => ({ stores: new KeyvRedis({ socket, disableOfflineQueue }) }),
        }),
        TenancyCacheModule.forRoot({ clearedWithinMs: 0, timeoutMs: 2_000 }),
      ],
    });
  };

  beforeAll(async () => {
    [redis, database] = await Promise.all([startRedis(), createTestDatabase()]);
    apps = [await start(true), await start(false)];
    client = new Redis(redis.port, '127.0.0.1', { retryStrategy: () => 20 });
    client.on('error', () => undefined);
    [acme, globex] = [await apps[0].create({ slug: 'acme' }), await apps[0].create({ slug: 'globex' })];
  });
  afterAll(async () => {
    for (const { close } of apps) await close();
    client?.disconnect();
    await redis?.stop();
    await database?.drop();
  });

  const of = (tenant: Tenant, instance = 0) => {
    const { app } = apps[instance];
    const cache = app.get(TenantCache);
    const inside = <T>(work: () => T): T => app.get(TenantContext).run(tenant, work);
    return {
      get: (key: string) => inside(() => cache.get(key)),
      set: (key: string, value: unknown, ttlMs?: number) => inside(() => cache.set(key, value, ttlMs)),
      mget: (...keys: string[]) => inside(() => cache.mget(keys)),
      del: (key: string) => inside(() => cache.del(key)),
      clear: () => inside(() => cache.clear()),
      wrap: <T>(key: string, load: () => T) => inside(() => cache.wrap(key, load)),
    };
  };

  it('keeps the contract of an adapter', async () => {
    const { app } = apps[0];
    const cache = app.get(TenantCache);
    const adapter = {
      put: (key: string, value: string) => cache.set(key, value),
      get: (key: string) => cache.get<string>(key),
      clear: () => cache.clear(),
      enter: (work: () => Promise<void>) => cache.wrap(`work ${Math.random()}`, work),
    };
    expect(await checkTenantAdapter({ app, ...adapter })).toEqual([]);
  });

  it('gives one instance what the other has kept, of any kind and size, and nothing that it has removed', async () => {
    const values = [null, 0, '', false, { a: [1] }, 'x'.repeat(5_000_000)];
    for (const [index, value] of values.entries()) await of(acme).set(`${index}`, value);
    const keys = values.map((_, index) => `${index}`);
    expect(await of(acme, 1).mget(...keys)).toEqual(values);
    expect(await of(globex, 1).mget(...keys)).toEqual(values.map(() => undefined));
    await of(acme, 1).del('4');
    await expect(of(acme).get('4')).resolves.toBeUndefined();
    expect(await client.keys('*=4')).toEqual([]);
    await of(acme, 1).clear();
    expect(await of(acme).mget(...keys)).toEqual(values.map(() => undefined));
  });

  it('leaves nothing in Redis that does not end, but a word for each tenant', async () => {
    await of(acme).set('key', 'tea');
    const ends = await Promise.all(
      (await client.keys('*:=*')).map(async (key) => (await client.pttl(key)) > 0),
    );
    expect(ends.length).toBeGreaterThan(0);
    expect(ends).not.toContain(false);
    const { id } = await apps[0].create({ slug: 'initech' });
    const lifecycle = apps[0].app.get(TenantLifecycle);
    const initech = await lifecycle.get(id);
    await of(initech).set('key', 'tea');
    expect(await client.exists(`keyv:keyv:tenants:${initech.schemaName}`)).toBe(0);
    const words = async () => (await client.keys(`*${initech.schemaName}`)).length;
    expect(await words()).toBe(1);
    await lifecycle.delete(id);
    await apps[0].app.get(TenantPurge).purge(id);
    expect(await words()).toBe(0);
  });

  it.each([0, 1])(
    'lives without a Redis that is stopped, and with it again (instance %i)',
    async (instance) => {
      const own = of(acme, instance);
      await own.set('key', 'old');
      await redis.stop();
      await expect(own.get('key')).resolves.toBeUndefined();
      await expect(own.set('key', 'new')).resolves.toBeUndefined();
      await expect(own.wrap('key', () => 'computed')).resolves.toBe('computed');
      await expect(own.clear()).rejects.toEqual(UNAVAILABLE);
      await expect(own.del('key')).rejects.toEqual(UNAVAILABLE);
      await redis.start();
      for (const each of [of(acme), of(acme, 1)])
        while ((await each.get('back')) !== 'again') {
          // Without it nothing but what is refused at once would have its turn.
          await setImmediate();
          await each.set('back', 'again');
        }
      // Nest gives the lines of both to the logger of the last one. Each tells once a minute.
      const told = apps.flatMap(({ log }) => log.errors.filter((text) => text.includes('The cache fails')));
      expect(told.length).toBeGreaterThan(0);
      expect(told.length).toBeLessThanOrEqual(2);
      await own.clear();
      await expect(own.get('back')).resolves.toBeUndefined();
    },
  );

  it('is set up as docs/cache.md says', async () => {
    const examples = writeExamples('docs/cache.md');
    process.env.REDIS_URL = `redis://127.0.0.1:${redis.port}`;
    const { RedisCacheModule } = await examples.import('redis-cache.module.ts');
    const running = await startTestApp({
      imports: [
        TenancyModule.forRoot(notesOptions(database)),
        RedisCacheModule,
        TenancyCacheModule.forRoot({}),
      ],
    });
    const cache = running.app.get(TenantCache);
    const inside = <T>(work: () => T) => running.app.get(TenantContext).run(globex, work);
    await inside(() => cache.set('documented', 1));
    await expect(of(globex).get('documented')).resolves.toBe(1);
    await running.close();
    examples.remove();
  });
});
