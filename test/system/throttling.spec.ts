import { once } from 'node:events';
import { Controller, Get } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Redis } from 'ioredis';
import { TenancyModule, TenantLifecycle } from '../../lib';
import { RateLimitWeight, RedisRateLimits, TenancyThrottlingModule } from '../../lib/throttling';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { type TestRedis, startRedis } from '../support/system/redis';
import { startTestApp, type TestApp } from '../support/test-app';

const WINDOW_MS = 3_600_000;
const plans = {
  free: { hour: { limit: 5, windowMs: WINDOW_MS } },
  gold: { hour: { limit: 7, windowMs: WINDOW_MS } },
};

@Controller()
class RoutesController {
  @Get('one')
  one() {
    return {};
  }

  @Get('heavy')
  @RateLimitWeight(3)
  heavy() {
    return {};
  }
}

/** Two instances that let pass what they cannot count, and a third that refuses it. */
describe('Rate limits of two instances that share a Redis', () => {
  let redis: TestRedis;
  let database: TestDatabase;
  let apps: TestApp[] = [];
  let strict: TestApp;
  const clients: Redis[] = [];

  const start = (adapter: ExpressAdapter | FastifyAdapter, whenUnavailable: 'allow' | 'refuse' = 'allow') => {
    const client = new Redis(redis.port, '127.0.0.1', { retryStrategy: () => 20 });
    // Without a listener ioredis writes each failed attempt to the console.
    client.on('error', () => undefined);
    clients.push(client);
    const storage = new RedisRateLimits(client);
    const options = { plans, defaultPlan: 'free', storage, whenUnavailable, timeoutMs: 30_000 };
    return startTestApp(
      {
        imports: [TenancyModule.forRoot(notesOptions(database)), TenancyThrottlingModule.forRoot(options)],
        controllers: [RoutesController],
      },
      { adapter: adapter as ExpressAdapter },
    );
  };

  beforeAll(async () => {
    [redis, database] = await Promise.all([startRedis(), createTestDatabase()]);
    apps = [await start(new ExpressAdapter()), await start(new FastifyAdapter())];
    strict = await start(new ExpressAdapter(), 'refuse');
    await Promise.all(clients.map(connected));
  });
  afterAll(async () => {
    for (const { close } of [...apps, strict]) await close();
    for (const client of clients) client.disconnect();
    await redis?.stop();
    await database?.drop();
  });

  const connected = async (client: Redis) => client.status === 'ready' || once(client, 'ready');
  let count = 0;
  const tenant = async (metadata: Record<string, unknown> = {}): Promise<string> =>
    (await apps[0].create({ slug: `tenant-${++count}`, metadata })).slug;
  const ask = async (path: string, slug: string, times: number, instances = apps) =>
    Promise.all(
      Array.from({ length: times }, async (_, i) => {
        const url = new URL(path, instances[i % instances.length].url);
        return (await fetch(url, { headers: { 'x-tenant-id': slug } })).status;
      }),
    );
  const granted = (statuses: number[]) => statuses.filter((status) => status === 200).length;
  const refused = (statuses: number[]) => statuses.filter((status) => status === 429).length;

  it('refuse exactly 7 of 12 calls at a limit of 5', async () => {
    const statuses = await ask('one', await tenant(), 12);
    expect([granted(statuses), refused(statuses)]).toEqual([5, 7]);
  });

  it('never exceed them by 50 calls at once, whatever they weigh', async () => {
    const slug = await tenant({ plan: 'gold' });
    expect(granted(await ask('heavy', slug, 50))).toBe(2);
    expect(granted(await ask('one', slug, 50))).toBe(1);
  });

  it('go on with the count of a tenant that was renamed, or has another plan', async () => {
    const slug = await tenant();
    await ask('one', slug, 5);
    const renamed = `${slug}-renamed`;
    const changes = { slug: renamed, metadata: { plan: 'gold' } };
    await apps[0].app.get(TenantLifecycle).update(slug, changes);
    expect(granted(await ask('one', renamed, 5, [apps[0]]))).toBe(2);
  });

  it('end with their window', async () => {
    const slug = await tenant();
    expect(granted(await ask('one', slug, 6))).toBe(5);
    await clients[0].pexpire(`tenancy:rate:${await idOf(slug)}:hour`, 0);
    expect(granted(await ask('one', slug, 6))).toBe(5);
  });

  it('leave no count in Redis that does not end, even where somebody has made one', async () => {
    const slug = await tenant();
    const key = `tenancy:rate:${await idOf(slug)}:hour`;
    await clients[0].set(key, 3);
    expect(granted(await ask('one', slug, 5))).toBe(2);
    expect(await clients[0].pttl(key)).toBeGreaterThan(0);
  });

  it('while Redis is gone let everything pass, or nothing; and hold again when it is back', async () => {
    const slug = await tenant();
    await ask('one', slug, 5);
    await redis.stop();
    await Promise.all(clients.map(gone));
    expect(granted(await ask('one', slug, 10))).toBe(10);
    expect(await ask('one', slug, 3, [strict])).toEqual([503, 503, 503]);
    await redis.start();
    await Promise.all(clients.map(connected));
    const statuses = await ask('one', slug, 12, [...apps, strict]);
    expect([granted(statuses), refused(statuses)]).toEqual([5, 7]);
  });

  const gone = async (client: Redis) => client.status !== 'ready' || once(client, 'close');
  const idOf = async (slug: string) => (await apps[0].app.get(TenantLifecycle).get(slug)).id;
});
