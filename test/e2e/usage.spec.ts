import { setTimeout as wait } from 'node:timers/promises';
import {
  type CallHandler,
  ConflictException,
  Controller,
  type ExecutionContext,
  Get,
  Global,
  Injectable,
  Module,
  type NestInterceptor,
  Post,
  RequestTimeoutException,
  Sse,
  UseInterceptors,
} from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { interval, map, NEVER, type Observable, race, tap, throwError } from 'rxjs';
import {
  PoolStatistics,
  type Tenant,
  TenancyModule,
  TenantContext,
  TenantFree,
  TenantLifecycle,
  TenantPurge,
} from '../../lib';
import { Metered, type QuotaWarning, TenancyUsageModule, TenantUsage, UsageReports } from '../../lib/usage';

import { RefusedCounts } from '../../lib/usage/refused-counts';
import { Reservations } from '../../lib/usage/reservations';
import { TenantQuotas } from '../../lib/usage/tenant-quotas';
import { UsageRows } from '../../lib/usage/usage-rows';
import { CheckedUsageOptions, USAGE_TIME } from '../../lib/usage/usage.options';
import { RegistryTime } from '../../lib/registry/registry-time';
import { TenancyAdminModule } from '../../lib/admin';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { MASTER_KEY } from '../support/sample-app';
import { ManualClock } from '../support/manual-clock';
import { notesOptions } from '../support/notes';
import { rawRequest } from '../support/raw-request';
import { startTestApp, type TestApp } from '../support/test-app';

const plans = {
  free: {
    exports: { limit: 5, per: 'month', hard: true },
    daily: { limit: 2, per: 'day', hard: true },
    orders: { limit: 10, per: 'month' },
  },
  closed: { exports: { limit: 0, per: 'month', hard: true } },
  unlimited: {},
} as const;

@Injectable()
class Gate {
  enter: () => void = () => undefined;
  open: () => void = () => undefined;
  readonly entered = new Promise<void>((resolve) => (this.enter = resolve));
  readonly opened = new Promise<void>((resolve) => (this.open = resolve));
}

@Controller()
class RoutesController {
  constructor(
    private readonly usage: TenantUsage,
    private readonly gate: Gate,
  ) {}

  @Post('exports')
  @Metered('exports')
  export() {
    return {};
  }

  @Post('failing-exports')
  @Metered('exports')
  failingExport() {
    throw new ConflictException();
  }

  @Post('daily')
  @Metered('daily')
  daily() {
    return {};
  }

  @Post('orders')
  @Metered('orders')
  @Metered('order.lines', 3)
  order() {
    return {};
  }

  /** It ends when nobody listens any more. */
  @Sse('order-feed')
  @Metered('orders')
  orderFeed() {
    return interval(1).pipe(map((data) => ({ data })));
  }

  @Sse('silent-feed')
  @Metered('orders')
  silentFeed() {
    return NEVER;
  }

  @Post('failing-orders')
  @Metered('orders')
  failingOrder() {
    throw new ConflictException();
  }

  @Get('free')
  @TenantFree()
  @Metered('orders')
  free() {
    return {};
  }

  @Get('slow')
  async slow() {
    this.gate.enter();
    await this.gate.opened;
    this.usage.count('slow');
    return {};
  }
}

/** Outside of `@Metered()`, whose work is done by then. */
@Injectable()
class FailsAfterwards implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      tap(() => {
        throw new ConflictException();
      }),
    );
  }
}

/** Answers before what is inside has begun, or ended. */
@Injectable()
class IsImpatient implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return race(
      next.handle(),
      throwError(() => new RequestTimeoutException()),
    );
  }
}

/** Of a class they are outside of those of a method. */
@Controller('outside')
@UseInterceptors(FailsAfterwards)
class FailsAfterwardsController {
  @Post('exports')
  @Metered('exports')
  export() {
    return {};
  }

  @Post('orders')
  @Metered('orders')
  order() {
    return {};
  }
}

@Controller('impatient')
@UseInterceptors(IsImpatient)
class ImpatientController {
  @Post('exports')
  @Metered('exports')
  export() {
    return {};
  }
}

describe('Usage, counted by two instances', () => {
  let database: TestDatabase;
  let apps: TestApp[] = [];
  let now: Date;
  const warnings: QuotaWarning[] = [];
  let warn: (warning: QuotaWarning) => void;

  @Global()
  @Module({ providers: [{ provide: USAGE_TIME, useValue: () => now }], exports: [USAGE_TIME] })
  class TimeModule {}

  const start = (adapter: ExpressAdapter | FastifyAdapter, quotaStatus: 402 | 429 = 402) =>
    startTestApp(
      {
        imports: [
          TimeModule,
          TenancyModule.forRoot(notesOptions(database)),
          TenancyAdminModule.forRoot({ masterKey: MASTER_KEY, usage: true }),
          TenancyUsageModule.forRoot({
            plans,
            defaultPlan: 'free',
            quotaStatus,
            onQuotaWarning: (warning) => warn(warning),
            // Nobody waits for it: tests write what was counted.
            flushIntervalMs: 3_600_000,
          }),
        ],
        controllers: [RoutesController, FailsAfterwardsController, ImpatientController],
        providers: [Gate],
      },
      { adapter: adapter as ExpressAdapter },
    );

  beforeAll(async () => {
    database = await createTestDatabase();
    apps = [await start(new ExpressAdapter()), await start(new FastifyAdapter(), 429)];
  });
  afterAll(async () => {
    for (const { close } of apps) await close();
    await database?.drop();
  });
  beforeEach(() => {
    now = new Date('2026-11-25T10:00:00Z');
    warnings.length = 0;
    warn = (warning) => void warnings.push(warning);
  });

  /** Nest has one logger for all applications of a process: that of the last one. */
  const said = (level: 'errors' | 'warnings') => apps.flatMap(({ log }) => log[level]);
  let made = 0;
  const tenant = (metadata: Record<string, unknown> = {}): Promise<Tenant> =>
    apps[0].create({ slug: `tenant-${++made}`, metadata });
  const post = (path: string, { slug }: Tenant, app = apps[0]) =>
    fetch(new URL(path, app.url), { method: 'POST', headers: { 'x-tenant-id': slug } });
  const usage = (app = apps[0]) => app.app.get(TenantUsage);
  const flush = () => Promise.all(apps.map((app) => usage(app).flush()));
  const report = async ({ slug }: Tenant, query = '', app = apps[0]) =>
    (await app.get(`/tenant/usage${query}`, slug)).body;
  const used = async (of: Tenant, metric: string): Promise<number> => {
    await flush();
    const counted = await apps[0].app.get(UsageReports).ofPurged(of.id);
    return counted?.metrics.find((each) => each.metric === metric)?.total ?? 0;
  };

  it('is what was done, by day and month, on all instances together', async () => {
    const acme = await tenant();
    for (const app of [...apps, ...apps]) expect((await post('orders', acme, app)).status).toBe(201);
    expect((await post('failing-orders', acme)).status).toBe(409);
    await apps[0].get('/free', acme.slug);
    now = new Date('2026-11-25T23:59:59.999Z');
    await post('orders', acme);
    now = new Date('2026-11-26T00:00:00Z');
    await post('orders', acme);
    now = new Date('2026-12-01T00:00:00Z');
    await post('orders', acme);
    await flush();
    expect(await report(acme, '?from=2026-11-25&to=2026-12-31')).toEqual({
      tenantId: acme.id,
      from: '2026-11-25',
      to: '2026-12-31',
      metrics: [
        {
          metric: 'order.lines',
          total: 21,
          days: [
            { day: '2026-11-25', used: 15 },
            { day: '2026-11-26', used: 3 },
            { day: '2026-12-01', used: 3 },
          ],
          months: [
            { month: '2026-11', used: 18 },
            { month: '2026-12', used: 3 },
          ],
        },
        {
          metric: 'orders',
          total: 7,
          days: [
            { day: '2026-11-25', used: 5 },
            { day: '2026-11-26', used: 1 },
            { day: '2026-12-01', used: 1 },
          ],
          months: [
            { month: '2026-11', used: 6 },
            { month: '2026-12', used: 1 },
          ],
        },
      ],
      quotas: [
        { metric: 'exports', limit: 5, per: 'month', hard: true, used: 0, remaining: 5 },
        { metric: 'daily', limit: 2, per: 'day', hard: true, used: 0, remaining: 2 },
        { metric: 'orders', limit: 10, per: 'month', hard: false, used: 1, remaining: 9 },
      ],
      storage: { bytes: expect.any(Number), rows: 0 },
      connections: { active: 0, queryMs: expect.any(Number) },
    });
  });

  it('counts a clock that jumps back on the day it says, and loses nothing', async () => {
    const acme = await tenant();
    await post('orders', acme);
    now = new Date('2026-10-31T23:00:00Z');
    await post('orders', acme);
    await flush();
    const { metrics } = await report(acme, '?from=2026-10-01&to=2026-11-30');
    expect(metrics[1]).toMatchObject({
      metric: 'orders',
      total: 2,
      days: [{ day: '2026-10-31' }, { day: '2026-11-25' }],
    });
  });

  it('never exceeds a hard quota, by 50 requests at once on two instances', async () => {
    const acme = await tenant();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => post('exports', acme, apps[i % 2])),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(5);
    expect(statuses.filter((status) => status === 402 || status === 429)).toHaveLength(45);
    expect(await used(acme, 'exports')).toBe(5);
    const answer = await post('exports', acme);
    expect(await answer.json()).toEqual({
      statusCode: 402,
      code: 'QUOTA_EXCEEDED',
      message: 'The quota of 5 "exports" a month is used up.',
    });
    const other = await post('exports', acme, apps[1]);
    // Until the 1st of December.
    expect([other.status, other.headers.get('Retry-After')]).toEqual([429, String(5 * 86_400 + 14 * 3_600)]);
  });

  it('begins a quota anew with each day, and with each month', async () => {
    const acme = await tenant();
    const times = ['2026-11-25', '2026-11-25', '2026-11-25', '2026-11-26', '2026-12-25'];
    const statuses: number[] = [];
    for (const day of times) {
      now = new Date(`${day}T12:00:00Z`);
      statuses.push((await post('daily', acme)).status);
    }
    expect(statuses).toEqual([201, 201, 402, 201, 201]);
    for (const [month, status] of [
      [11, 402],
      [12, 201],
    ] as const) {
      now = new Date(Date.UTC(2026, month - 1, 28));
      for (let i = 0; i < 5 && month === 11; i++) await post('exports', acme);
      expect((await post('exports', acme)).status).toBe(status);
    }
  });

  it('gives back what was counted for a request that failed', async () => {
    const acme = await tenant();
    for (let i = 0; i < 20; i++) {
      expect((await post('failing-exports', acme)).status).toBe(409);
      await flush();
    }
    for (let i = 0; i < 5; i++) expect((await post('exports', acme)).status).toBe(201);
    expect((await post('failing-exports', acme)).status).toBe(402);
    expect(await used(acme, 'exports')).toBe(5);
  });

  it.each(['outside', 'impatient'])(
    'gives back what was counted for a request that failed in an interceptor outside: %s',
    async (path) => {
      const acme = await tenant();
      for (let i = 0; i < 10; i++) {
        const { status } = await post(`${path}/exports`, acme, apps[i % 2]);
        expect([409, 408]).toContain(status);
        // The answer is there before the server has done with it.
        for (const end = Date.now() + 10_000; (await used(acme, 'exports')) > 0 && Date.now() < end;)
          await wait(1);
      }
      // What was answered too early may still be about to count, and to give back.
      let granted = 0;
      for (const end = Date.now() + 10_000; granted < 5 && Date.now() < end;)
        if ((await post('exports', acme, apps[granted % 2])).status === 201) granted++;
      expect(granted).toBe(5);
      await flush();
      expect(await used(acme, 'exports')).toBe(5);
    },
  );

  it('does not count a request that failed in an interceptor outside, without a hard quota either', async () => {
    const acme = await tenant();
    for (const app of apps) expect((await post('outside/orders', acme, app)).status).toBe(409);
    for (const end = Date.now() + 10_000; (await used(acme, 'orders')) > 0 && Date.now() < end;)
      await wait(1);
    expect(await used(acme, 'orders')).toBe(0);
  });

  it('holds the quotas of the plan that a tenant has now', async () => {
    const [closed, unlimited, gone] = [
      await tenant({ plan: 'closed' }),
      await tenant({ plan: 'unlimited' }),
      await tenant({ plan: '__proto__' }),
    ];
    expect((await post('exports', closed)).status).toBe(402);
    const statuses = async (of: Tenant) => {
      const answers = [];
      for (let i = 0; i < 6; i++) answers.push((await post('exports', of)).status);
      return answers;
    };
    expect(await statuses(unlimited)).not.toContain(402);
    expect(await statuses(gone)).toEqual([201, 201, 201, 201, 201, 402]);
    await apps[0].app.get(TenantLifecycle).update(gone.slug, { metadata: { plan: 'unlimited' } });
    expect((await post('exports', gone)).status).toBe(201);
    expect(await used(gone, 'exports')).toBe(6);
  });

  it('counts a stream that has sent something when its client goes away, and none that has not', async () => {
    const acme = await tenant();
    const leave = async (path: string, isOver: (text: string) => boolean) => {
      const abort = new AbortController();
      const headers = { 'x-tenant-id': acme.slug };
      const response = await fetch(new URL(path, apps[0].url), { headers, signal: abort.signal });
      const reader = response.body!.getReader();
      for (let text = ''; !isOver(text);) text += Buffer.from((await reader.read()).value).toString();
      abort.abort();
    };
    await leave('/silent-feed', () => true);
    await leave('/order-feed', (text) => text.includes('data: 0'));
    for (const end = Date.now() + 10_000; (await used(acme, 'orders')) === 0 && Date.now() < end;)
      await wait(5);
    expect(await used(acme, 'orders')).toBe(1);
  });

  it('reserves in code, and takes back once', async () => {
    const acme = await tenant();
    const reservation = await usage().reserve('exports', 5, acme);
    await expect(usage().reserve('exports', 1, acme)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    reservation.release();
    reservation.release();
    await flush();
    await usage().reserve('exports', 4, acme);
    await expect(usage().reserve('exports', 2, acme)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    const soft = await usage().reserve('orders', 2, acme);
    expect(await used(acme, 'orders')).toBe(2);
    soft.release();
    expect(await used(acme, 'orders')).toBe(0);
  });

  it('tells once when four fifths of a quota are used, whoever counts', async () => {
    const acme = await tenant();
    for (let i = 0; i < 12; i++) {
      usage(apps[i % 2]).count('orders', 1, acme);
      if (i % 3 === 0) await flush();
    }
    await flush();
    for (let i = 0; i < 5; i++) await post('exports', acme, apps[i % 2]);
    const quota = plans.free.orders;
    expect(warnings).toEqual([
      { tenant: expect.objectContaining({ id: acme.id }), metric: 'orders', quota, used: expect.any(Number) },
      {
        tenant: expect.objectContaining({ id: acme.id }),
        metric: 'exports',
        quota: plans.free.exports,
        used: 4,
      },
    ]);
    expect(warnings[0].used).toBeGreaterThanOrEqual(8);
  });

  it('counts on when nobody can be told', async () => {
    warn = () => {
      throw new Error('no mail today');
    };
    const acme = await tenant();
    usage().count('orders', 9, acme);
    expect(await used(acme, 'orders')).toBe(9);
    await apps[0].app.get(TenantQuotas, { strict: false }).settled();
    expect(said('errors')).toContainEqual(expect.stringContaining('no mail today'));
  });

  it.each([
    '',
    'orders created',
    "orders'; DROP TABLE tenancy.tenants; --",
    '__proto__',
    'оrders',
    'orders\0',
    'o'.repeat(101),
    '../orders',
    7,
    undefined,
  ])('refuses a metric named %j', async (metric) => {
    const acme = await tenant();
    expect(() => usage().count(metric as string, 1, acme)).toThrow(
      expect.objectContaining({ code: 'METRIC_INVALID' }),
    );
    expect(() => Metered(metric as string)).toThrow(expect.objectContaining({ code: 'METRIC_INVALID' }));
    await expect(usage().reserve(metric as string, 1, acme)).rejects.toMatchObject({
      code: 'METRIC_INVALID',
    });
  });

  it.each([-1, 0.5, NaN, Infinity, '1', 1e12 + 1, Number.MAX_SAFE_INTEGER])(
    'refuses an amount of %p',
    async (amount) => {
      const acme = await tenant();
      expect(() => usage().count('orders', amount as number, acme)).toThrow('give an integer from 0');
    },
  );

  it('is counted for whom the code runs, and refused where it runs for nobody', async () => {
    const acme = await tenant();
    apps[0].app.get(TenantContext).run(acme, () => usage().count('constructor', 2));
    expect(await used(acme, 'constructor')).toBe(2);
    expect(() => usage().count('orders')).toThrow(expect.objectContaining({ code: 'TENANT_REQUIRED' }));
  });

  const adminReport = (reference: string, key = MASTER_KEY) =>
    rawRequest(apps[0].url, `/admin/tenants/${reference}/usage`, { headers: { 'x-master-key': key } });

  it('is shown to the admin, by slug and id', async () => {
    const acme = await tenant();
    await post('orders', acme);
    const shown = await report(acme);
    expect(shown.metrics).toHaveLength(2);
    for (const reference of [acme.slug, acme.id])
      expect(await adminReport(reference)).toMatchObject({
        status: 200,
        body: { ...shown, connections: {} },
      });
    expect(await adminReport(acme.slug, 'x')).toMatchObject({ status: 401 });
    for (const reference of ['nobody', '0198c5f0-0000-7000-8000-000000000000'])
      expect(await adminReport(reference)).toMatchObject({ status: 404, body: { code: 'TENANT_NOT_FOUND' } });
  });

  it('stays with a tenant that is renamed, and with one that is purged with counts open', async () => {
    const acme = await tenant();
    await post('orders', acme);
    const lifecycle = apps[0].app.get(TenantLifecycle);
    const renamed = await lifecycle.update(acme.slug, { slug: `${acme.slug}-renamed` });
    await post('orders', renamed);
    expect(await used(acme, 'orders')).toBe(2);
    await post('orders', renamed);
    await lifecycle.delete(renamed.slug);
    await apps[0].app.get(TenantPurge).purge(renamed.slug);
    expect(await used(acme, 'orders')).toBe(3);
    const { status, body } = await adminReport(acme.id);
    expect([status, body.storage, body.metrics[1].total]).toEqual([200, null, 3]);
  });

  it('is not lost while the registry cannot be written, nor counted twice when an answer is lost', async () => {
    const acme = await tenant();
    await database.query('ALTER TABLE tenancy.usage_months RENAME TO away');
    await post('orders', acme);
    await usage().flush();
    await post('orders', acme);
    await usage().flush();
    const refused = await post('exports', acme);
    await database.query('ALTER TABLE tenancy.away RENAME TO usage_months');
    expect(refused.status).toBe(500);
    expect(await used(acme, 'orders')).toBe(2);
    expect(said('warnings').filter((text) => text.includes('kept'))).toHaveLength(2);

    const rows = apps[0].app.get(UsageRows, { strict: false });
    const add = rows.add.bind(rows);
    const lost = jest.spyOn(rows, 'add').mockImplementationOnce(async (batch) => {
      await add(batch);
      throw new Error('Connection terminated');
    });
    await post('orders', acme);
    await usage().flush();
    lost.mockRestore();
    expect(await used(acme, 'orders')).toBe(3);
  });

  it('is dropped and said where PostgreSQL refuses it for good, and holds up nothing else', async () => {
    const [acme, globex] = [await tenant(), await tenant()];
    const days = `array_fill(0::bigint, ARRAY[31])`;
    await database.query(
      `INSERT INTO tenancy.usage_months (tenant_id, metric, month, total, days) VALUES
         ($1, 'full', '2026-11-01', 9223372036854775807, ${days}), ($1, 'days', '2026-11-01', 0, ${days})`,
      [acme.id],
    );
    await database.query(
      `UPDATE tenancy.usage_months SET days[25] = 9223372036854775807 WHERE tenant_id = $1 AND metric = 'days'`,
      [acme.id],
    );
    const before = usage().dropped;
    for (const metric of ['a', 'days', 'b', 'full', 'c', 'd', 'e']) {
      usage().count(metric, 7, acme);
      usage().count(metric, 7, globex);
    }
    await usage().flush();
    const written = await database.query<{ metric: string; total: string }>(
      `SELECT metric, total FROM tenancy.usage_months WHERE tenant_id IN ($1, $2) AND total = 7 ORDER BY 1`,
      [acme.id, globex.id],
    );
    const twice = ['a', 'a', 'b', 'b', 'c', 'c', 'd', 'd', 'days', 'e', 'e', 'full'];
    expect(written.map(({ metric }) => metric)).toEqual(twice);
    expect(usage().dropped - before).toBe(2);
    for (const metric of ['days', 'full'])
      expect(said('errors')).toContainEqual(
        expect.stringMatching(
          new RegExp(
            `count of 7 "${metric}" of the tenant "${acme.slug}" in the month of 2026-11-01.*bigint out of range`,
          ),
        ),
      );
    usage().count('full', 1, globex);
    expect(await used(globex, 'full')).toBe(8);
  });

  it.each(['P0001', 'TN001', '42501'])(
    'is dropped where a trigger raises %s, and holds up nothing else',
    async (code) => {
      const [acme, globex] = [await tenant(), await tenant()];
      await database.query(
        `CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE 'not for %', NEW.tenant_id USING ERRCODE = '${code}'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON tenancy.usage_months FOR EACH ROW
           WHEN (NEW.tenant_id = '${acme.id}') EXECUTE FUNCTION public.refuse()`,
      );
      const before = usage().dropped;
      try {
        usage().count('orders', 1, acme);
        usage().count('orders', 1, globex);
        await usage().flush();
      } finally {
        await database.query('DROP FUNCTION public.refuse() CASCADE');
      }
      expect(usage().dropped - before).toBe(1);
      expect(said('errors')).toContainEqual(expect.stringContaining(`not for ${acme.id}`));
      expect([await used(acme, 'orders'), await used(globex, 'orders')]).toEqual([0, 1]);
    },
  );

  it.each(['40001', '53100', '57014', '25006', '42501', '57P01', 'ECONNRESET'])(
    'is kept, and not taken apart, for an error that speaks of no value: %s',
    async (code) => {
      const [acme, globex] = [await tenant(), await tenant()];
      const rows = apps[0].app.get(UsageRows, { strict: false });
      const failing = jest.spyOn(rows, 'add').mockRejectedValue(Object.assign(new Error('no'), { code }));
      usage().count('orders', 1, acme);
      usage().count('orders', 1, globex);
      await usage().flush();
      await usage().flush();
      const batches = failing.mock.calls.map(([{ batch }]) => batch);
      failing.mockRestore();
      expect(batches).toEqual([batches[0], batches[0]]);
      expect([await used(acme, 'orders'), await used(globex, 'orders')]).toEqual([1, 1]);
    },
  );

  it('is written every so often', async () => {
    const acme = await tenant();
    const clock = new ManualClock();
    const rows = apps[0].app.get(UsageRows, { strict: false });
    const quotas = apps[0].app.get(TenantQuotas, { strict: false });
    const [context, time] = [apps[0].app.get(TenantContext), apps[0].app.get(RegistryTime)];
    const options = { ...new CheckedUsageOptions(), flushIntervalMs: 500 };
    const own = new TenantUsage(
      context,
      rows,
      quotas,
      apps[0].app.get(Reservations, { strict: false }),
      new RefusedCounts(),
      options,
      time,
      () => now,
      clock,
    );
    const written = async () =>
      (await database.query('SELECT total FROM tenancy.usage_months WHERE tenant_id = $1', [acme.id]))[0];
    own.count('orders', 1, acme);
    await clock.advance(499);
    expect(await written()).toBeUndefined();
    await clock.advance(1);
    while ((await written()) === undefined) await wait(1);
    expect(await written()).toEqual({ total: '1' });
  });

  it('has the size of the tenant’s schema', async () => {
    const [acme, globex] = [await tenant(), await tenant()];
    const before = await report(acme);
    await database.query(
      `INSERT INTO ${acme.schemaName}.note (text) SELECT repeat('x', 100) FROM generate_series(1, 1000)`,
    );
    await database.query(`ANALYZE ${acme.schemaName}.note`);
    const after = await report(acme);
    expect(after.storage.rows).toBe(1_000);
    expect(after.storage.bytes).toBeGreaterThan(before.storage.bytes + 100_000);
    expect((await report(globex)).storage).toEqual(before.storage);
  });

  it('asks for the size in the tenant’s own share of the connections', async () => {
    const acme = await tenant();
    const leases = () => apps[0].app.get(PoolStatistics).ofTenant(acme.id)?.leases ?? 0;
    const before = leases();
    await report(acme);
    expect(leases()).toBe(before + 1);
  });

  it.each([
    ['?from=2026-02-30', 'from'],
    ['?from=2026-11-25T00:00', 'from'],
    ['?to=tomorrow', 'to'],
    ['?from=', 'from'],
    ['?from=2026-11-26&to=2026-11-25', 'from'],
    ['?from=2020-01-01', 'from'],
    ['?from=2026-01-01&from=2026-01-02', 'from'],
    ['?since=2026-01-01', 'since'],
  ])('refuses to tell of %s', async (query, field) => {
    const acme = await tenant();
    expect(await report(acme, query)).toMatchObject({
      statusCode: 400,
      code: 'VALIDATION_FAILED',
      errors: [{ field }],
    });
  });

  it('is written when the application ends, that of requests under way too', async () => {
    const acme = await tenant();
    const third = await start(new ExpressAdapter());
    await post('orders', acme, third);
    const slow = rawRequest(third.url, '/slow', { headers: { 'x-tenant-id': acme.slug } });
    await third.app.get(Gate).entered;
    const destroyed = jest.spyOn(third.app.get(TenantUsage), 'onModuleDestroy');
    const closed = third.close();
    while (destroyed.mock.calls.length === 0) await wait(1);
    await destroyed.mock.results[0].value;
    third.app.get(Gate).open();
    expect((await slow).status).toBe(200);
    await closed;
    expect([await used(acme, 'orders'), await used(acme, 'slow')]).toEqual([1, 1]);
    expect(third.log.errors).toEqual([]);
  });
});
