import { Controller, Get } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { SkipThrottle, Throttle } from '@nestjs/throttler';
import { TenancyModule, TenantFree, TenantLifecycle, TenantOptional } from '../../lib';
import {
  MemoryRateLimits,
  type RateLimit,
  type RateLimitState,
  RateLimitStorage,
  RateLimitWeight,
  type TenancyThrottlingOptions,
  TenancyThrottlingModule,
} from '../../lib/throttling';
import { THROTTLING_OPTIONS } from '../../lib/throttling/throttling.options';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { ManualClock } from '../support/manual-clock';
import { notesOptions } from '../support/notes';
import { startTestApp, type TestApp } from '../support/test-app';

@Controller()
class RoutesController {
  @Get('one')
  one() {
    return {};
  }

  @Get('other')
  other() {
    return {};
  }

  @Get('heavy')
  @RateLimitWeight(3)
  heavy() {
    return {};
  }

  @Get('weightless')
  @RateLimitWeight(0)
  weightless() {
    return {};
  }

  @Get('no-minute')
  @SkipThrottle({ minute: true })
  noMinute() {
    return {};
  }

  @Get('narrow')
  @Throttle({ minute: { limit: 2, ttl: 60_000 } })
  narrow() {
    return {};
  }

  @Get('by-user')
  @Throttle({ minute: { limit: 1, getTracker: ({ headers }) => headers['x-user'] as string } })
  byUser() {
    return {};
  }

  @Get('free')
  @TenantFree()
  free() {
    return {};
  }

  @Get('optional')
  @TenantOptional()
  optional() {
    return {};
  }
}

const MINUTE_MS = 60_000;
const minute = (limit: number): RateLimit => ({ limit, windowMs: MINUTE_MS });

const plans = {
  free: { minute: minute(5) },
  gold: { minute: minute(8), hour: { limit: 10, windowMs: 60 * MINUTE_MS } },
  closed: { minute: minute(0) },
  unlimited: {},
};

/** A storage that is there or not, as a test says. */
class FailingRateLimits extends RateLimitStorage {
  fault: 'none' | 'error' | 'silence' = 'none';

  constructor(private readonly kept: RateLimitStorage) {
    super();
  }

  override take(key: string, weight: number, rate: RateLimit): Promise<RateLimitState> {
    if (this.fault === 'error') return Promise.reject(new Error('connect ECONNREFUSED'));
    if (this.fault === 'silence') return new Promise(() => undefined);
    return this.kept.take(key, weight, rate);
  }
}

describe.each([
  ['Express', () => new ExpressAdapter(), true],
  ['Fastify', () => new FastifyAdapter(), false],
])('Rate limits behind %s', (_platform, adapter, tenancyFirst) => {
  let database: TestDatabase;
  let running: TestApp;
  let clock: ManualClock;
  let storage: FailingRateLimits;
  /** As if the application had been started with it. */
  const setWhenUnavailable = (whenUnavailable: 'allow' | 'refuse') =>
    Object.assign(running.app.get<object>(THROTTLING_OPTIONS, { strict: false }), { whenUnavailable });

  beforeAll(async () => {
    database = await createTestDatabase();
    clock = new ManualClock();
    storage = new FailingRateLimits(new MemoryRateLimits(clock));
    const options: TenancyThrottlingOptions = {
      plans,
      defaultPlan: 'free',
      storage,
      timeoutMs: 50,
      limitsOf: ({ metadata }) => metadata.limits as never,
    };
    const imports = [TenancyModule.forRoot(notesOptions(database)), TenancyThrottlingModule.forRoot(options)];
    running = await startTestApp(
      { imports: tenancyFirst ? imports : imports.reverse(), controllers: [RoutesController] },
      { adapter: adapter() },
    );
  });
  afterAll(async () => {
    await running?.close();
    await database?.drop();
  });
  beforeEach(async () => {
    storage.fault = 'none';
    setWhenUnavailable('allow');
    await clock.advance(60 * MINUTE_MS);
  });

  let count = 0;
  const tenant = async (metadata: Record<string, unknown> = {}): Promise<string> =>
    (await running.create({ slug: `tenant-${++count}`, metadata })).slug;
  const ask = (path: string, slug?: string) =>
    fetch(new URL(path, running.url), { headers: slug === undefined ? {} : { 'x-tenant-id': slug } });
  const statuses = async (path: string, slug: string, times: number): Promise<number[]> => {
    const answers: number[] = [];
    for (let i = 0; i < times; i++) answers.push((await ask(path, slug)).status);
    return answers;
  };

  it('refuse exactly what exceeds them, of requests that come at once to several routes', async () => {
    const slug = await tenant();
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, i) => ask(i % 2 ? 'one' : 'other', slug)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([
      ...Array<number>(5).fill(200),
      ...Array<number>(7).fill(429),
    ]);
    const refused = answers.find(({ status }) => status === 429);
    expect(await refused?.json()).toEqual({
      statusCode: 429,
      code: 'RATE_LIMITED',
      message: 'Too many requests (limit "minute"). Try again in 60 seconds.',
    });
    expect(refused?.headers.get('Retry-After')).toBe('60');
    expect(refused?.headers.get('RateLimit-Remaining')).toBe('0');
  });

  it('are each tenant’s own, and last until their window ends', async () => {
    const [one, other] = [await tenant(), await tenant()];
    expect(await statuses('one', one, 6)).toEqual([200, 200, 200, 200, 200, 429]);
    expect(await statuses('one', other, 1)).toEqual([200]);
    await clock.advance(MINUTE_MS - 1);
    expect(await statuses('one', one, 1)).toEqual([429]);
    await clock.advance(1);
    expect(await statuses('one', one, 6)).toEqual([200, 200, 200, 200, 200, 429]);
  });

  it('tell in headers what is left', async () => {
    const slug = await tenant({ plan: 'gold' });
    await ask('one', slug);
    await clock.advance(20_000);
    const { headers } = await ask('one', slug);
    expect(Object.fromEntries([...headers].filter(([name]) => name.startsWith('ratelimit')))).toEqual({
      'ratelimit-limit': '8',
      'ratelimit-remaining': '6',
      'ratelimit-reset': '40',
      'ratelimit-policy': '8;w=60;name="minute", 10;w=3600;name="hour"',
    });
  });

  it('hold in all windows, and what the shorter one refuses takes nothing from the longer one', async () => {
    const slug = await tenant({ plan: 'gold' });
    expect((await statuses('one', slug, 12)).filter((status) => status === 200)).toHaveLength(8);
    await clock.advance(MINUTE_MS);
    expect(await statuses('one', slug, 3)).toEqual([200, 200, 429]);
    expect(await (await ask('one', slug)).json()).toMatchObject({
      message: expect.stringContaining('"hour"'),
    });
  });

  it('weigh routes, and a heavy request that does not fit leaves the rest to light ones', async () => {
    const slug = await tenant();
    expect(await statuses('heavy', slug, 2)).toEqual([200, 429]);
    expect(await statuses('one', slug, 3)).toEqual([200, 200, 429]);
    expect(await statuses('weightless', slug, 3)).toEqual([200, 200, 200]);
  });

  it('leave a route out of a limit by @SkipThrottle', async () => {
    const slug = await tenant();
    expect(await statuses('no-minute', slug, 7)).not.toContain(429);
    const { headers } = await ask('no-minute', slug);
    expect(headers.get('RateLimit-Limit')).toBeNull();
  });

  it('are another one of a route by @Throttle, with a count of its own for each tenant', async () => {
    const [slug, other] = [await tenant(), await tenant()];
    expect(await statuses('narrow', slug, 3)).toEqual([200, 200, 429]);
    expect(await statuses('one', slug, 6)).toEqual([200, 200, 200, 200, 200, 429]);
    const { headers } = await ask('narrow', other);
    expect(headers.get('RateLimit-Policy')).toBe('2;w=60;name="minute"');
    expect(await statuses('narrow', other, 2)).toEqual([200, 429]);
    // What the plan does not limit, no route does.
    expect(await statuses('narrow', await tenant({ plan: 'unlimited' }), 4)).not.toContain(429);
  });

  it('are those of a user of the tenant, where @Throttle says so', async () => {
    const by = async (slug: string, user: string) =>
      (await fetch(new URL('by-user', running.url), { headers: { 'x-tenant-id': slug, 'x-user': user } }))
        .status;
    const [slug, other] = [await tenant(), await tenant()];
    expect([await by(slug, 'ann'), await by(slug, 'ann')]).toEqual([200, 429]);
    expect([await by(slug, 'bob'), await by(other, 'ann')]).toEqual([200, 200]);
  });

  it('of 0 refuse all, even while nothing can be counted; and a plan without limits refuses nothing', async () => {
    const [closed, unlimited] = [await tenant({ plan: 'closed' }), await tenant({ plan: 'unlimited' })];
    expect(await statuses('one', closed, 2)).toEqual([429, 429]);
    storage.fault = 'error';
    expect(await statuses('one', closed, 2)).toEqual([429, 429]);
    expect(await statuses('one', unlimited, 20)).not.toContain(429);
  });

  it.each(['platinum', 'constructor', '__proto__', '', 7, null, { free: true }])(
    'of the default plan hold for a tenant of the plan %p, which is not there',
    async (plan) => {
      const slug = await tenant({ plan });
      expect((await statuses('one', slug, 6)).filter((status) => status === 200)).toHaveLength(5);
    },
  );

  it('go on counting when the plan changes while in use', async () => {
    const slug = await tenant();
    await statuses('one', slug, 6);
    await running.app.get(TenantLifecycle).update(slug, { metadata: { plan: 'gold' } });
    expect(await statuses('one', slug, 4)).toEqual([200, 200, 200, 429]);
  });

  it('may be one tenant’s own: more, fewer, or none', async () => {
    const [more, none] = [
      await tenant({ limits: { minute: minute(7) } }),
      await tenant({ plan: 'gold', limits: { minute: null, hour: null } }),
    ];
    expect((await statuses('one', more, 9)).filter((status) => status === 200)).toHaveLength(7);
    expect(await statuses('one', none, 15)).not.toContain(429);
  });

  it('that are no limits are a mistake of the application, not a door', async () => {
    const slug = await tenant({ limits: { minute: { limit: -1, windowMs: 0 } } });
    expect(await (await ask('one', slug)).json()).toMatchObject({
      statusCode: 500,
      code: 'THROTTLING_OPTIONS_INVALID',
    });
  });

  it('do not count what belongs to no tenant, and leave the refusal of a claim to the tenant guard', async () => {
    const slug = await tenant();
    for (let i = 0; i < 10; i++) {
      expect((await ask('free', slug)).status).toBe(200);
      expect((await ask('optional')).status).toBe(200);
      expect((await ask('one', 'nobody')).status).toBe(404);
      expect((await ask('one')).status).toBe(400);
    }
    expect(await statuses('optional', slug, 6)).toEqual([200, 200, 200, 200, 200, 429]);
  });

  it.each(['error', 'silence'] as const)('let pass what cannot be counted for %s', async (fault) => {
    const slug = await tenant();
    await statuses('one', slug, 5);
    storage.fault = fault;
    const answer = await ask('one', slug);
    expect([answer.status, answer.headers.get('RateLimit-Limit')]).toEqual([200, null]);
    storage.fault = 'none';
    expect(await statuses('one', slug, 1)).toEqual([429]);
    expect(running.log.errors.filter((text) => text.includes('storage of rate limits'))).not.toEqual([]);
  });

  it.each(['error', 'silence'] as const)('or refuse it with 503, if told so, for %s', async (fault) => {
    setWhenUnavailable('refuse');
    const slug = await tenant();
    storage.fault = fault;
    const answer = await ask('one', slug);
    expect(await answer.json()).toMatchObject({ statusCode: 503, code: 'TENANCY_UNAVAILABLE' });
    storage.fault = 'none';
    expect(await statuses('one', slug, 1)).toEqual([200]);
  });
});
