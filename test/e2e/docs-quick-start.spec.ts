import { type INestApplication, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { TenancyModule, TenantProvisioner } from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { MASTER_KEY } from '../support/sample-app';

const PAGES = ['quick-start', 'data', 'template', 'tenants', 'fleet'].map((name) => `docs/${name}.md`);

describe('docs/quick-start.md, and the pages that go on from it', () => {
  let examples: Examples;
  let database: TestDatabase;
  let app: INestApplication;

  beforeAll(async () => {
    examples = writeExamples(...PAGES);
    database = await createTestDatabase();
    Object.assign(process.env, { DATABASE_URL: database.url, TENANCY_MASTER_KEY: MASTER_KEY });
    const { AppModule } = await examples.import('app.module.ts');
    const { ReportService } = await examples.import('report.service.ts');
    const testing = await Test.createTestingModule({
      imports: [AppModule],
      providers: [ReportService],
    }).compile();
    app = testing.createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
  });
  afterAll(async () => {
    await app?.close();
    await database.drop();
    examples.remove();
  });

  const call = async (path: string, headers: Record<string, string>, body?: unknown) => {
    const init = {
      method: body ? 'POST' : 'GET',
      headers: { 'content-type': 'application/json', ...headers },
    };
    return (
      await fetch((await app.getUrl()) + path, { ...init, body: body && JSON.stringify(body) } as RequestInit)
    ).json();
  };

  it('does what it says', async () => {
    await call('/admin/tenants', { 'x-master-key': MASTER_KEY }, { slug: 'acme' });
    await call('/admin/tenants', { 'x-master-key': MASTER_KEY }, { slug: 'globex' });
    const order = await call('/orders', { 'x-tenant-id': 'acme' }, { description: 'tea' });
    expect(await call('/orders', { 'x-tenant-id': 'acme' })).toEqual({ tenant: 'acme', orders: [order] });
    expect(await call('/orders', { 'x-tenant-id': 'globex' })).toEqual({ tenant: 'globex', orders: [] });
    expect(await call('/orders/price-list', {})).toEqual({ tea: 2 });
    const { ReportService } = await examples.import('report.service.ts');
    expect(await app.get(ReportService).ordersByTenant()).toEqual({ acme: 1, globex: 0 });
  });

  it('makes, copies, adopts and ends tenants', async () => {
    const { AppModule } = await examples.import('app.module.ts');
    const { TenantsService } = await examples.import('tenants.service.ts');
    const { WelcomeHook } = await examples.import('welcome.hook.ts');
    const providers = [TenantsService, WelcomeHook];
    const testing = await Test.createTestingModule({ imports: [AppModule], providers }).compile();
    const other = await testing.createNestApplication({ logger: false }).init();
    const tenants = other.get(TenantsService);
    const { schemaName } = await tenants.signUp('initech');
    expect(await call('/orders', { 'x-tenant-id': 'initech' })).toMatchObject({
      orders: [{ description: 'a welcome to initech' }],
    });
    await tenants.copyForSupport('initech');
    expect(await call('/orders', { 'x-tenant-id': 'initech-support' })).toMatchObject({
      orders: [{ description: expect.stringMatching(/^order /) }],
    });
    await expect(tenants.adopt(schemaName, 'again')).rejects.toMatchObject({ code: 'SCHEMA_NAME_TAKEN' });
    expect(await tenants.endContract('initech', 'quick start')).toMatchObject({
      tables: { orders: 1 },
      rows: 1,
    });
    await other.close();
  });

  it('shows TypeORM’s command line what the template has seen', async () => {
    const { default: dataSource } = await examples.import('data-source.ts');
    await dataSource.initialize();
    expect(await dataSource.showMigrations()).toBe(false);
    await dataSource.destroy();
  });

  it('brings a change to the tenants that were made before it', async () => {
    const { AppModule } = await examples.import('app.module.ts');
    const old = await NestFactory.createApplicationContext(AppModule, { logger: false });
    for (let i = 0; i < 20; i++) await old.get(TenantProvisioner).create({ slug: `customer-${i}` });
    const { migrateFleet } = await examples.import('migrate-fleet.ts');
    const { AddPlace1700000001000 } = await examples.import('add-place.migration.ts');
    const { Order } = await examples.import('order.entity.ts');
    const { CreateOrders1700000000000 } = await examples.import('create-orders.migration.ts');
    // As the reader adds it to the list.
    const migrations = [CreateOrders1700000000000, AddPlace1700000001000];
    const url = database.url;
    class NextModule {}
    Module({
      imports: [
        TenancyModule.forRoot({
          database: { url },
          entities: [Order],
          migrations,
          resolvers: [() => undefined],
        }),
      ],
    })(NextModule);
    const told = jest.spyOn(console, 'log').mockImplementation();
    const { report, drift } = await migrateFleet(NextModule);
    const [[name, tenants, sql]] = told.mock.calls;
    told.mockRestore();
    const count = await database.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM tenancy.tenants WHERE status <> 'purged'`,
    );
    expect([name, tenants]).toEqual(['AddPlace1700000001000', count[0].count]);
    expect(sql).toEqual(['ALTER TABLE orders ADD COLUMN place text']);
    expect(report).toMatchObject({ state: 'done', done: count[0].count, failed: [], notReached: 0 });
    expect(drift).toMatchObject({ checked: count[0].count, drifted: 0 });
    await old.close();
  });
});
