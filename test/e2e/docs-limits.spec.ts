import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { TenantProvisioner } from '../../lib';
import type { TenancyThrottlingOptions } from '../../lib/throttling';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { MASTER_KEY } from '../support/sample-app';
import { makeTenant } from '../support/tenants';

describe('docs/limits.md, the examples', () => {
  let examples: Examples;
  let database: TestDatabase;
  let app: INestApplication;

  beforeAll(async () => {
    examples = writeExamples('README.md', 'docs/limits.md');
    database = await createTestDatabase();
    Object.assign(process.env, { DATABASE_URL: database.url, TENANCY_MASTER_KEY: MASTER_KEY });
    const { ThrottledAppModule } = await examples.import('throttled-app.module.ts');
    const testing = await Test.createTestingModule({ imports: [ThrottledAppModule] }).compile();
    app = testing.createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
    await app.get(TenantProvisioner).create({ slug: 'acme' });
    await app.get(TenantProvisioner).create({ slug: 'globex', metadata: { plan: 'internal' } });
  });
  afterAll(async () => {
    await app?.close();
    await database?.drop();
    examples.remove();
  });

  const ask = async (path: string, slug: string) =>
    fetch(new URL(path, await app.getUrl()), { headers: { 'x-tenant-id': slug } });

  it('compile', () => {
    expect(examples.compileErrors()).toBe('');
  });

  it('limit by plan and weight', async () => {
    for (const left of [20, 10, 0]) {
      const { status, headers } = await ask('/reports', 'acme');
      expect([status, headers.get('RateLimit-Remaining')]).toEqual([200, String(left)]);
    }
    expect(await (await ask('/orders', 'acme')).json()).toMatchObject({ code: 'RATE_LIMITED' });
    for (let i = 0; i < 5; i++) expect((await ask('/reports', 'globex')).status).toBe(200);
  });

  it('know plans of their own', async () => {
    const { rateLimits } = await examples.import('rate-limits.ts');
    const { planOf, limitsOf } = rateLimits({ status: 'wait' }) as TenancyThrottlingOptions;
    expect(planOf?.(makeTenant('acme'))).toBe('trial');
    expect(planOf?.(makeTenant('acme', { metadata: { subscription: 'active' } }))).toBe('paid');
    expect(limitsOf?.(makeTenant('acme'))).toEqual({ hour: { limit: 500, windowMs: 3_600_000 } });
    expect(limitsOf?.(makeTenant('globex'))).toBeUndefined();
  });
});
