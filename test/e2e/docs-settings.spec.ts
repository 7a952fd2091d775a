import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { type Tenant, TenantContext, TenantProvisioner } from '../../lib';
import { TenantSettings } from '../../lib/settings';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { rawRequest } from '../support/raw-request';
import { MASTER_KEY } from '../support/sample-app';

describe('docs/settings.md, the examples', () => {
  let examples: Examples;
  let database: TestDatabase;
  let app: INestApplication;
  let acme: Tenant;

  beforeAll(async () => {
    examples = writeExamples('docs/quick-start.md', 'docs/settings.md');
    database = await createTestDatabase();
    Object.assign(process.env, { DATABASE_URL: database.url, TENANCY_MASTER_KEY: MASTER_KEY });
    const { SettingsAppModule } = await examples.import('settings-app.module.ts');
    const testing = await Test.createTestingModule({ imports: [SettingsAppModule] }).compile();
    app = testing.createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
    acme = await app.get(TenantProvisioner).create({ slug: 'acme' });
  });
  afterAll(async () => {
    await app?.close();
    await database?.drop();
    examples?.remove();
  });

  const call = async (line: string, body?: unknown) => {
    const [method, path] = line.split(' ');
    const headers = { 'x-tenant-id': 'acme', 'content-type': 'application/json' };
    return rawRequest(await app.getUrl(), path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  };

  it('invite as many as there are seats', async () => {
    const { InvitationsService } = await examples.import('invitations.service.ts');
    const mayInvite = (members: number) =>
      app.get(TenantContext).run(acme, () => app.get(InvitationsService).mayInvite(members));
    await expect(Promise.all([4, 5].map(mayInvite))).resolves.toEqual([true, false]);
    await app.get(TenantSettings).set('seats', 6, { tenant: acme });
    await expect(mayInvite(5)).resolves.toBe(true);
  });

  it('export for who has the feature', async () => {
    await expect(call('GET /exports')).resolves.toMatchObject({ status: 403, body: { code: 'FEATURE_OFF' } });
    await app.get(TenantSettings).set('exports', true, { tenant: acme });
    await expect(call('GET /exports')).resolves.toEqual({ status: 200, body: [] });
  });

  it('let the tenant choose its theme', async () => {
    await expect(call('PUT /theme', { theme: 'dark' })).resolves.toMatchObject({ status: 200 });
    await expect(call('PUT /theme', { theme: 'red' })).resolves.toMatchObject({ status: 400 });
    await expect(call('GET /tenant/settings')).resolves.toMatchObject({ body: { theme: 'dark' } });
  });
});
