import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { TenantContext, TenantLifecycle, TenantProvisioner } from '../../lib';
import { EventTrail } from '../../lib/events';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';

describe('docs/events.md, the examples', () => {
  let examples: Examples;
  let database: TestDatabase;
  let app: INestApplication;

  beforeAll(async () => {
    examples = writeExamples('docs/quick-start.md', 'docs/events.md');
    database = await createTestDatabase();
    process.env.DATABASE_URL = database.url;
  });
  afterAll(async () => {
    await app?.close();
    await database?.drop();
    examples?.remove();
  });

  it('follow what happens to tenants, in their context and as the system', async () => {
    const { FollowingAppModule } = await examples.import('following-app.module.ts');
    const { Welcome } = await examples.import('welcome.service.ts');
    const { Warehouse } = await examples.import('warehouse.service.ts');
    const testing = await Test.createTestingModule({ imports: [FollowingAppModule] }).compile();
    app = testing.createNestApplication({ logger: false });
    await app.init();
    // The follower is new, and begins with what comes after it is known.
    const known = 'SELECT FROM tenancy.event_followers';
    const until = async (isSo: () => boolean | Promise<boolean>) => {
      while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    await until(async () => (await database.query(known)).length === 2);
    await app.get(TenantProvisioner).create({ slug: 'acme' });
    const { sent } = app.get<{ sent: string[] }>(Welcome, { strict: false });
    const { rows } = app.get<{ rows: Map<string, string> }>(Warehouse, { strict: false });
    await until(() => sent.length > 0 && rows.size > 0);
    expect(sent).toEqual(['tenant.created acme: 0 orders']);
    expect([...rows.values()]).toContain('tenant.created');
  });

  it('record what the application itself does', async () => {
    const { Shipping } = await examples.import('shipping.service.ts');
    const { Warehouse } = await examples.import('warehouse.service.ts');
    const shipping = app.get<{ ship(id: string): Promise<string> }>(Shipping, { strict: false });
    const acme = await app.get(TenantLifecycle).get('acme');
    const id = await app
      .get(TenantContext)
      .run(acme, () => shipping.ship('01900000-0000-7000-8000-000000000001'));
    const { rows } = app.get<{ rows: Map<string, string> }>(Warehouse, { strict: false });
    while (!rows.has(id)) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(rows.get(id)).toBe('order.shipped');
    expect(await app.get(EventTrail).verify(acme.id)).toMatchObject({ problems: [] });
  });
});
