import { Controller, Get, Param } from '@nestjs/common';
import {
  fromHeader,
  PoolStatistics,
  TenancyModule,
  type Tenant,
  TenantConnection,
  TenantContext,
} from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startTestApp, type TestApp } from '../support/test-app';

@Controller()
class SlowController {
  constructor(private readonly connection: TenantConnection) {}

  @Get('sleep/:seconds')
  sleep(@Param('seconds') seconds: string) {
    return this.connection.query('SELECT pg_sleep($1)', [seconds]);
  }

  /** Holds a lock until `unlock` or the end of the request. */
  @Get('lock')
  lock() {
    return this.connection.query('SELECT pg_advisory_xact_lock(1)');
  }
}

describe('An application whose tenants share two connections', () => {
  let database: TestDatabase;
  let test: TestApp;
  let acme: Tenant;
  let statistics: PoolStatistics;

  beforeAll(async () => {
    database = await createTestDatabase();
    test = await startTestApp({
      imports: [
        TenancyModule.forRoot({
          database: {
            url: database.url,
            poolSize: 2,
            maxWaitingPerTenant: 1,
            leaseWarningMs: 100,
            timeouts: ({ slug }) => (slug === 'hasty' ? { statementTimeoutMs: 50 } : { lockTimeoutMs: 50 }),
          },
          entities: [],
          resolvers: [fromHeader('x-tenant-id')],
        }),
      ],
      controllers: [SlowController],
    });
    acme = await test.create({ slug: 'acme' });
    await test.create({ slug: 'globex' });
    await test.create({ slug: 'hasty' });
    statistics = test.app.get(PoolStatistics);
  });
  afterAll(async () => {
    await test?.close();
    await database.drop();
  });

  /** What a client sees of an answer. */
  const get = async (path: string, tenant: string) => {
    const response = await fetch(`${test.url}${path}`, { headers: { 'x-tenant-id': tenant } });
    const { code } = (await response.json()) as { code?: string };
    return { status: response.status, code, retryAfter: response.headers.get('retry-after') };
  };
  const until = async (condition: () => boolean) => {
    while (!condition()) await database.query('SELECT 1');
  };

  it('answers 503 TENANT_BUSY with Retry-After to a tenant that floods it, and serves the other', async () => {
    const flood = [get('/sleep/2', 'acme'), get('/sleep/0', 'acme')];
    await until(() => statistics.read().waiting === 1);
    await expect(get('/sleep/0', 'acme')).resolves.toEqual({
      status: 503,
      code: 'TENANT_BUSY',
      retryAfter: '1',
    });
    await expect(get('/sleep/0', 'globex')).resolves.toMatchObject({ status: 200 });
    expect(statistics.read()).toMatchObject({ size: 2, active: 1, waiting: 1 });
    expect(statistics.ofTenant(acme.id)).toMatchObject({ active: 1, refused: 1 });
    await expect(Promise.all(flood)).resolves.toMatchObject([{ status: 200 }, { status: 200 }]);
    expect(statistics.read()).toMatchObject({ active: 0, waiting: 0 });
  });

  it('answers 504 STATEMENT_TIMEOUT to a request whose statement takes too long', async () => {
    await expect(get('/sleep/60', 'hasty')).resolves.toEqual({
      status: 504,
      code: 'STATEMENT_TIMEOUT',
      retryAfter: null,
    });
  });

  it('answers 503 LOCK_TIMEOUT with Retry-After to one that waits too long for a lock', async () => {
    const context = test.app.get(TenantContext);
    await context.runUnlimited(acme, () =>
      test.app.get(TenantConnection).transaction(async (manager) => {
        await manager.query('SELECT pg_advisory_xact_lock(1)');
        await expect(get('/lock', 'acme')).resolves.toEqual({
          status: 503,
          code: 'LOCK_TIMEOUT',
          retryAfter: '1',
        });
      }),
    );
  });

  it('warns of a connection that is checked out for long, and says for whom and for what', async () => {
    const warned = statistics.read().longLeases;
    const request = get('/sleep/1', 'acme');
    await until(() => statistics.read().longLeases > warned);
    await request;
    expect(test.log.warnings.at(-1)).toMatch(
      /^A connection has been checked out by tenant "acme" for \d+ s: a statement is under way, the last one being: SELECT pg_sleep\(\$1\)\./,
    );
  });

  it('counts leases and the time of statements for each tenant', async () => {
    const before = statistics.ofTenant(acme.id)!;
    await get('/sleep/0.2', 'acme');
    const after = statistics.ofTenant(acme.id)!;
    expect(after.leases).toBe(before.leases + 1);
    expect(after.queryMs - before.queryMs).toBeGreaterThanOrEqual(200);
    const report = statistics.read();
    expect(report.tenants).toContainEqual(after);
    expect(report.leases).toBeGreaterThanOrEqual(after.leases);
    expect(report.queryMs).toBeGreaterThanOrEqual(after.queryMs);
    expect(statistics.ofTenant('nobody')).toBeUndefined();
  });
});
