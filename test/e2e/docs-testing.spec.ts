import { Controller, Get, type INestApplication, Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { type Tenant, TenantConnection, TenantProvisioner } from 'nestjs-tenancy';
import { HttpHammer, runIsolationHammer } from 'nestjs-tenancy/testing';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { MASTER_KEY } from '../support/sample-app';

const CLEAN = { wrongReads: 0, wrongWrites: 0, lostWrites: 0, hangs: 0, findings: [] };
const SLUGS = ['acme', 'globex', 'initech'];

/** The mistake that the hammer is for: a cache that knows nothing of tenants. */
@Injectable()
class SharedCache {
  rows?: unknown;
}

@Controller('cached-orders')
class LeakyController {
  constructor(
    private readonly connection: TenantConnection,
    private readonly cache: SharedCache,
  ) {}

  @Get()
  async list() {
    return (this.cache.rows ??= await this.connection.query('SELECT description FROM orders'));
  }
}

describe('docs/testing.md, its examples', () => {
  const environment = { ...process.env };
  let examples: Examples;
  let database: TestDatabase;
  let app: INestApplication;
  let url: string;
  let tenants: Tenant[];

  beforeAll(async () => {
    examples = writeExamples('docs/quick-start.md', 'docs/transactions.md', 'docs/testing.md');
    database = await createTestDatabase();
    Object.assign(process.env, { DATABASE_URL: database.url, TENANCY_MASTER_KEY: MASTER_KEY });
    const { AppModule } = await examples.import('app.module.ts');
    const { ImportsController } = await examples.import('imports.controller.ts');
    const { OrdersService } = await examples.import('orders.service.ts');
    const { Order } = await examples.import('order.entity.ts');
    const { TenancyModule } = await import('nestjs-tenancy');
    const testing = await Test.createTestingModule({
      imports: [AppModule, TenancyModule.forFeature([Order])],
      controllers: [ImportsController, LeakyController],
      providers: [OrdersService, SharedCache],
    }).compile();
    app = testing.createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
    const provisioner = app.get(TenantProvisioner);
    tenants = await Promise.all(SLUGS.map((slug) => provisioner.create({ slug })));
  });
  afterAll(async () => {
    process.env = environment;
    await app?.close();
    await database.drop();
    examples.remove();
  });

  it('hammer an application over HTTP', async () => {
    const { hammerOrders } = await examples.import('orders.hammer.ts');
    const report = await hammerOrders([url], SLUGS);
    expect(report).toMatchObject({ ...CLEAN, operations: 500 });
    expect(report.rowsChecked).toBeGreaterThan(500);
    expect(report.faults).toBeGreaterThan(0);
  });

  it('hammer services in the process', async () => {
    const { hammerOrdersService } = await examples.import('orders-service.hammer.ts');
    const report = await hammerOrdersService(app, tenants);
    expect(report).toMatchObject({ ...CLEAN, operations: 500, failures: {} });
    expect(report.faults).toBe(10);
  });

  const http = () => new HttpHammer({ urls: [url], headersOf: (slug: string) => ({ 'x-tenant-id': slug }) });

  it('find a cache that tenants share', async () => {
    const client = http();
    const report = await runIsolationHammer({
      tenants: SLUGS,
      operations: 100,
      kinds: {
        create: client.write(({ stamp }) => ({
          method: 'POST',
          path: '/orders',
          body: { description: stamp },
        })),
        list: client.read(() => ({ path: '/cached-orders' })),
      },
      prepare: client.write(({ stamp }) => ({
        method: 'POST',
        path: '/orders',
        body: { description: stamp },
      })),
      readAll: () => Promise.resolve([]),
    });
    client.close();
    expect(report.wrongReads).toBeGreaterThan(0);
    expect(report.findings).toContainEqual(expect.stringMatching(/read a row of .* \(GET \/cached-orders\)/));
    // And readAll gave none of what was written.
    expect(report.lostWrites).toBeGreaterThan(0);
  });

  it('say so when an operation has looked at nothing', async () => {
    const client = http();
    const blind = runIsolationHammer({
      tenants: SLUGS,
      operations: 100,
      kinds: { list: client.read(() => ({ path: '/no-such-path' })) },
      readAll: () => Promise.resolve([]),
    });
    await expect(blind).rejects.toMatchObject({
      code: 'HAMMER_BLIND',
      message: expect.stringContaining('"list" failed 100 times and never succeeded'),
      cause: expect.objectContaining({ message: expect.stringContaining('answered 404') }),
    });
    client.close();
  });
});
