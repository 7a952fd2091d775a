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
    examples = writeExamples('docs/quick-start.md', 'docs/limits.md');
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

  it('count, warn and stop at a quota', async () => {
    const { MeteredAppModule, warnings } = await examples.import('metered-app.module.ts');
    const testing = await Test.createTestingModule({ imports: [MeteredAppModule] }).compile();
    const metered = testing.createNestApplication({ logger: false });
    await metered.listen(0, '127.0.0.1');
    try {
      const send = async (path: string, method: string, headers: Record<string, string>) => {
        const answer = await fetch(new URL(path, await metered.getUrl()), { method, headers });
        return { status: answer.status, body: (await answer.json()) as { metrics: unknown } };
      };
      const acme = { 'x-tenant-id': 'acme' };
      const statuses: number[] = [];
      for (let i = 0; i < 6; i++) statuses.push((await send('/exports', 'POST', acme)).status);
      expect(statuses).toEqual([201, 201, 201, 201, 201, 402]);
      const told = [
        await send('/tenant/usage', 'GET', acme),
        await send('/admin/tenants/acme/usage', 'GET', { 'x-master-key': MASTER_KEY }),
      ];
      for (const { status, body } of told)
        expect([status, body.metrics]).toMatchObject([
          200,
          [
            { metric: 'exports', total: 5 },
            { metric: 'pdf.pages', total: 15 },
          ],
        ]);
      expect(warnings.map(({ metric }: { metric: string }) => metric).sort()).toEqual([
        'exports',
        'pdf.pages',
      ]);
    } finally {
      await metered.close();
    }
  });
});
