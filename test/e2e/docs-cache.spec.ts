import { NestFactory } from '@nestjs/core';
import type { INestApplication } from '@nestjs/common';
import { type Tenant, TenantConnection, TenantContext, TenantProvisioner } from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { MASTER_KEY } from '../support/sample-app';

describe('docs/cache.md', () => {
  const environment = { ...process.env };
  let examples: Examples;
  let database: TestDatabase;
  let app: INestApplication;

  beforeAll(async () => {
    examples = writeExamples('docs/quick-start.md', 'docs/cache.md');
    database = await createTestDatabase();
    Object.assign(process.env, { DATABASE_URL: database.url, TENANCY_MASTER_KEY: MASTER_KEY });
    const { CacheAppModule } = await examples.import('cache-app.module.ts');
    app = await NestFactory.create(CacheAppModule, { logger: false, abortOnError: false });
    await app.listen(0, '127.0.0.1');
  });
  afterAll(async () => {
    process.env = environment;
    await app?.close();
    await database.drop();
    examples.remove();
  });

  it('counts once for each tenant, and again after a change', async () => {
    const { OrderCounts } = await examples.import('order-counts.ts');
    const counts = app.get(OrderCounts);
    const connection = app.get(TenantConnection);
    const inside = <T>(tenant: Tenant, work: () => T) => app.get(TenantContext).run(tenant, work);
    const provisioner = app.get(TenantProvisioner);
    const [acme, globex] = [
      await provisioner.create({ slug: 'acme' }),
      await provisioner.create({ slug: 'globex' }),
    ];
    const order = () => connection.query(`INSERT INTO orders (description) VALUES ('tea')`);
    await inside(acme, order);
    const both = async () => [
      await inside(acme, () => counts.count()),
      await inside(globex, () => counts.count()),
    ];
    expect(await both()).toEqual([1, 0]);
    for (const tenant of [acme, globex]) await inside(tenant, order);
    expect(await both()).toEqual([1, 0]);
    await inside(acme, () => counts.forget());
    expect(await both()).toEqual([2, 0]);

    const ask = async (tenant: Tenant) => {
      const url = new URL('order-count', await app.getUrl());
      const answer = await fetch(url, { headers: { 'x-tenant-id': tenant.slug } });
      return [answer.headers.get('x-cache'), await answer.json()];
    };
    expect([await ask(acme), await ask(globex)]).toEqual([
      ['MISS', { count: 2 }],
      ['MISS', { count: 0 }],
    ]);
    expect(await ask(acme)).toEqual(['HIT', { count: 2 }]);
  });
});
