import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  Controller,
  Get,
  Injectable,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  type OnModuleInit,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { context as openTelemetry, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { Registry } from 'prom-client';
import {
  type Tenant,
  TenancyModule,
  type TenancyOptions,
  TenantConnection,
  TenantContext,
  TenantFree,
} from '../../lib';
import {
  TenancyHealth,
  TenancyObservabilityModule,
  type TenancyObservabilityOptions,
} from '../../lib/observability';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { ADAPTERS } from '../support/sample-app';
import { startTestApp, type TestApp, type TestAppOptions } from '../support/test-app';
import { tapWire } from '../support/wire-tap';

const exporter = new InMemorySpanExporter();

@Controller()
class WorkController {
  constructor(private readonly connection: TenantConnection) {}

  @Get('work')
  async work() {
    await this.connection.query('SELECT 1');
    return {};
  }

  @Get('free')
  @TenantFree()
  free() {
    return {};
  }
}

/** As an instrumentation of HTTP does it: a span around all that a request does. */
@Module({})
class SpansModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    const inSpan = (_request: IncomingMessage, response: ServerResponse, next: () => void) =>
      trace.getTracer('test').startActiveSpan('request', (span) => {
        response.once('close', () => span.end());
        next();
      });
    consumer.apply(inSpan).forRoutes('{*splat}');
  }
}

function start(
  database: TestDatabase,
  options: TenancyObservabilityOptions,
  tenancy: Partial<TenancyOptions> = {},
  app: TestAppOptions = {},
): Promise<TestApp> {
  const imports = [
    SpansModule,
    TenancyObservabilityModule.forRoot(options),
    TenancyModule.forRoot(notesOptions(database, tenancy)),
  ];
  return startTestApp({ imports, controllers: [WorkController] }, app);
}

/** What was counted, by `name{label="…"}`. */
async function valuesOf(registry: Registry): Promise<Record<string, number>> {
  const lines = (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => {
      const end = line.lastIndexOf(' ');
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

beforeAll(() => {
  openTelemetry.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
  );
});
afterAll(() => {
  trace.disable();
  openTelemetry.disable();
});

describe.each(ADAPTERS)('What tenants do on %s', (_platform, adapter) => {
  let database: TestDatabase;
  let registry: Registry;
  let app: TestApp;
  let acme: Tenant;

  beforeAll(async () => {
    database = await createTestDatabase();
    registry = new Registry();
    app = await start(
      database,
      { metrics: { registry, maxTenants: 2 }, spans: true },
      {},
      { adapter: adapter() },
    );
    acme = await app.create({ slug: 'acme' });
    for (const slug of ['other', 'initech', 'globex']) await app.create({ slug });
  });
  afterAll(async () => {
    await app?.close();
    await database?.drop();
  });

  it('stands on the active span, unless the route is nobody’s', async () => {
    exporter.reset();
    await app.get('/work', 'acme');
    await app.get('/free', 'acme');
    await app.get('/work', 'nobody');
    const spans = exporter.getFinishedSpans().map(({ attributes }) => attributes);
    expect(spans).toEqual([{ 'tenant.id': acme.id, 'tenant.slug': 'acme' }, {}, {}]);
  });

  it('is counted under few labels, however many tenants there are', async () => {
    const before = await valuesOf(registry);
    for (const [slug, times] of [
      ['acme', 3],
      ['other', 2],
      ['initech', 1],
      ['globex', 1],
    ] as const)
      for (let time = 0; time < times; time += 1) expect((await app.get('/work', slug)).status).toBe(200);
    await app.get('/work');
    await app.get('/free', 'acme');
    const after = await valuesOf(registry);
    const increase = (name: string, labels: string) =>
      (after[`tenancy_${name}{${labels}}`] ?? 0) - (before[`tenancy_${name}{${labels}}`] ?? 0);
    expect(increase('requests_total', 'tenant="acme",status="2xx"')).toBe(3);
    expect(increase('requests_total', 'tenant="none",status="4xx"')).toBe(1);
    expect(increase('leases_total', 'tenant="acme"')).toBe(3);
    expect(increase('query_seconds_total', 'tenant="acme"')).toBeGreaterThan(0);
    const labels = new Set(Object.keys(after).flatMap((name) => /tenant="([^"]*)"/.exec(name)?.[1] ?? []));
    expect(labels.size).toBeLessThanOrEqual(4);
  });

  it('is told of the pool, the look-up and the spares', async () => {
    await app.get('/work', 'acme');
    const values = await valuesOf(registry);
    expect(values).toMatchObject({
      'tenancy_pool_connections{state="active"}': 0,
      tenancy_pool_waiting: 0,
      'tenancy_spares{state="wanted"}': expect.any(Number),
      'tenancy_spares{state="ready"}': expect.any(Number),
    });
    expect(values['tenancy_pool_connections{state="open"}']).toBeGreaterThan(0);
    expect(values['tenancy_cached_names{kind="tenants"}']).toBeGreaterThan(0);
  });

  it('that destroys a connection is counted by its cause', async () => {
    const destroyed = async () =>
      Object.entries(await valuesOf(registry)).filter(([name]) =>
        name.includes('destroyed_connections_total{cause="'),
      );
    const sum = (counts: [string, number][]) => counts.reduce((total, [, count]) => total + count, 0);
    const before = sum(await destroyed());
    const connection = app.app.get(TenantConnection);
    await app.app.get(TenantContext).run(acme, () => connection.query(`SET statement_timeout = '1s'`));
    expect(sum(await destroyed())).toBe(before + 1);
  });

  it('is healthy', async () => {
    const health = app.app.get(TenancyHealth);
    await expect(health.registry()).resolves.toEqual({ registry: { status: 'up' } });
    await expect(health.template()).resolves.toEqual({ template: { status: 'up', pending: [] } });
    await expect(health.migrations({ maxBehind: 0 })).resolves.toEqual({
      migrations: { status: 'up', tenants: 4, behind: 0 },
    });
    await expect(health.pool()).resolves.toMatchObject({ pool: { status: 'up', waiting: 0 } });
    await expect(health.spares()).resolves.toMatchObject({ spares: { status: 'up' } });
    await expect(health.spares({ min: 100 })).resolves.toMatchObject({ spares: { status: 'down' } });
    await expect(health.pool({ maxWaiting: -1 })).resolves.toMatchObject({ pool: { status: 'down' } });
  });

  it('is down for who lacks migrations, with their number', async () => {
    await database.query('DELETE FROM tenancy.tenant_migrations WHERE tenant_id = $1', [acme.id]);
    const health = app.app.get(TenancyHealth);
    await expect(health.migrations()).resolves.toEqual({
      migrations: { status: 'up', tenants: 4, behind: 1 },
    });
    await expect(health.migrations({ maxBehind: 0 })).resolves.toMatchObject({
      migrations: { status: 'down' },
    });
  });
});

describe('While the database is away', () => {
  it('every check is down in time and tells nobody why, metrics are there, and all is well again after it', async () => {
    const database = await createTestDatabase();
    const wire = await tapWire(database.url);
    const registry = new Registry();
    const app = await start(
      database,
      { metrics: { registry }, healthTimeoutMs: 2_000 },
      { database: { url: wire.url, connectAttempts: 1 } },
    );
    try {
      const health = app.app.get(TenancyHealth);
      const all = async () =>
        Object.values(
          Object.assign(
            {},
            ...(await Promise.all([
              health.registry(),
              health.template(),
              health.migrations(),
              health.spares(),
              health.pool(),
            ])),
          ) as Record<string, { status: string }>,
        );
      expect((await all()).map(({ status }) => status)).toEqual(['up', 'up', 'up', 'up', 'up']);
      await valuesOf(registry);
      wire.cut();
      const answers = await all();
      expect(answers.map(({ status }) => status)).toEqual(['down', 'down', 'down', 'down', 'down']);
      expect(JSON.stringify(answers)).not.toContain('127.0.0.1');
      expect(app.log.warnings.filter((warning) => warning.includes('health check'))).toHaveLength(5);
      const values = await valuesOf(registry);
      expect(values).toHaveProperty('tenancy_pool_waiting');
      expect(values).not.toHaveProperty('tenancy_spares{state="ready"}');
      wire.restore();
      const deadline = performance.now() + 10_000;
      while ((await all()).some(({ status }) => status === 'down'))
        expect(performance.now()).toBeLessThan(deadline);
    } finally {
      await app.close();
      await wire.close();
      await database.drop();
    }
  });
});

describe('A registry of prom-client', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  it('serves the next application of the process when the one before is closed', async () => {
    const registry = new Registry();
    for (let turn = 0; turn < 2; turn++) {
      const app = await start(database, { metrics: { registry } });
      expect(await valuesOf(registry)).toHaveProperty('tenancy_pool_waiting');
      await app.close();
      expect(await registry.getMetricsAsJSON()).toEqual([]);
    }
  });

  it('is left alone by an application that is made and not started, as the command line does it', async () => {
    const registry = new Registry();
    const imports = [
      TenancyObservabilityModule.forRoot({ metrics: { registry } }),
      TenancyModule.forRoot(notesOptions(database)),
    ];
    const made = await Test.createTestingModule({ imports }).compile();
    expect(await registry.getMetricsAsJSON()).toEqual([]);
    await made.close();
  });

  it('is used again by a start that is tried again, and let go of by one that is given up', async () => {
    const registry = new Registry();
    let fails = true;
    @Injectable()
    class Late implements OnModuleInit {
      onModuleInit() {
        if (fails) throw new Error('on purpose');
      }
    }
    const imports = [
      TenancyObservabilityModule.forRoot({ metrics: { registry } }),
      TenancyModule.forRoot(notesOptions(database)),
    ];
    const failed = await Test.createTestingModule({ imports, providers: [Late] }).compile();
    await expect(failed.init()).rejects.toThrow('on purpose');
    await expect(start(database, { metrics: { registry } })).rejects.toThrow('close that one, even if');
    fails = false;
    await failed.init();
    expect(await valuesOf(registry)).toHaveProperty('tenancy_pool_waiting');
    await failed.close();
    expect(await registry.getMetricsAsJSON()).toEqual([]);
  });

  it('that two applications use at once fails the start of the second, and the first keeps it', async () => {
    const registry = new Registry();
    const first = await start(database, { metrics: { registry } });
    await expect(start(database, { metrics: { registry } })).rejects.toMatchObject({
      code: 'OBSERVABILITY_OPTIONS_INVALID',
      problems: [
        { field: 'metrics.registry', message: expect.stringContaining('already has tenancy_requests_total') },
      ],
    });
    expect(await valuesOf(registry)).toHaveProperty('tenancy_pool_waiting');
    await first.close();
  });
});

it('Options that cannot work fail the start, and all of them are named', async () => {
  const options = {
    metrics: { registry: {}, prefix: 'a"} 1\nb', maxTenants: -1, top: 3 },
    spans: 'yes',
    healthTimeoutMs: 0,
    span: true,
  };
  await expect(
    start({ url: 'postgres://nobody@127.0.0.1:1/none' } as TestDatabase, options as never),
  ).rejects.toMatchObject({
    code: 'OBSERVABILITY_OPTIONS_INVALID',
    problems: [
      [
        'span',
        'is no option: did you mean spans? If not, leave it out, or say one of metrics spans healthTimeoutMs',
      ],
      ['metrics.top', 'is no option: leave it out, or say one of registry prefix maxTenants'],
      ['metrics.registry', 'is something else: give a Registry of prom-client'],
      ['metrics.prefix', expect.stringMatching(/^is /)],
      ['metrics.maxTenants', 'is -1: give an integer from 0 to 1000'],
      ['spans', "is 'yes': give true or false"],
      ['healthTimeoutMs', 'is 0: give an integer from 1 to 60000'],
    ].map(([field, message]) => ({ field, message })),
  });
});
