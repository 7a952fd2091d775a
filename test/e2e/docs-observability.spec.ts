import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { Logger } from 'pino';
import { type Tenant, TenantContext, TenantProvisioner } from '../../lib';
import { REPOSITORY } from '../support/commands';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { rawRequest } from '../support/raw-request';
import { MASTER_KEY } from '../support/sample-app';

describe('docs/observability.md, the examples', () => {
  let examples: Examples;
  let database: TestDatabase;
  let app: INestApplication;
  let logger: Logger;
  let acme: Tenant;
  const lines: string[] = [];

  beforeAll(async () => {
    examples = writeExamples('docs/quick-start.md', 'docs/observability.md');
    database = await createTestDatabase();
    Object.assign(process.env, { DATABASE_URL: database.url, TENANCY_MASTER_KEY: MASTER_KEY });
    const { ObservedAppModule } = await examples.import('observed-app.module.ts');
    const { LOGGER, loggerProvider } = await examples.import('logger.provider.ts');
    const testing = await Test.createTestingModule({
      imports: [ObservedAppModule],
      providers: [loggerProvider({ write: (line: string) => void lines.push(line) })],
    }).compile();
    app = testing.createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
    logger = app.get(LOGGER);
    acme = await app.get(TenantProvisioner).create({ slug: 'acme' });
  });
  afterAll(async () => {
    await app?.close();
    await database?.drop();
    examples?.remove();
  });

  const get = async (path: string, tenant?: string) =>
    rawRequest(await app.getUrl(), path, { headers: tenant === undefined ? {} : { 'x-tenant-id': tenant } });

  it('say in each line of the log whose it is, and leave lines their own fields', () => {
    app.get(TenantContext).run(acme, () => {
      logger.info('of acme');
      logger.info({ tenantSlug: 'its own' }, 'of acme');
    });
    logger.info('of nobody');
    const [ofAcme, own, ofNobody] = lines.map((line) => JSON.parse(line) as object);
    expect(ofAcme).toMatchObject({ tenantId: acme.id, tenantSlug: 'acme', msg: 'of acme' });
    expect(own).toMatchObject({ tenantId: acme.id, tenantSlug: 'its own' });
    expect(ofNobody).not.toHaveProperty('tenantId');
  });

  it('count what tenants ask for', async () => {
    await get('/orders', 'acme');
    const { status, body } = await get('/metrics');
    expect(status).toBe(200);
    expect(body).toContain('tenancy_requests_total{tenant="acme",status="2xx"} 1');
    expect(body).toContain('tenancy_leases_total{tenant="acme"}');
  });

  it('have every metric that the page lists', async () => {
    const { body } = await get('/metrics');
    const page = readFileSync(join(REPOSITORY, 'docs/observability.md'), 'utf8');
    const names = page.match(/`tenancy_\w*[a-z]`/g) ?? [];
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) expect(body).toContain(`# TYPE ${name.slice(1, -1)} `);
  });

  it('are healthy', async () => {
    await expect(get('/health')).resolves.toMatchObject({
      status: 200,
      body: { status: 'ok', info: { registry: { status: 'up' }, migrations: { tenants: 1, behind: 0 } } },
    });
  });
});
