import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { TenantLifecycle, TenantProvisioner } from '../../lib';
import { ApiKeys } from '../../lib/access';
import { makeKey } from '../../lib/access/key-text';
import { SECRET, token } from '../support/access-app';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { codeBlocks } from '../support/readme';
import { rawRequest } from '../support/raw-request';
import { MASTER_KEY } from '../support/sample-app';

describe('docs/access.md', () => {
  let examples: Examples;
  let database: TestDatabase;
  let app: INestApplication;

  beforeAll(async () => {
    examples = writeExamples('docs/access.md');
    database = await createTestDatabase();
    const environment = {
      DATABASE_URL: database.url,
      TENANCY_MASTER_KEY: MASTER_KEY,
      TENANCY_JWT_SECRET: SECRET,
    };
    Object.assign(process.env, environment);
    const { AccessAppModule } = await examples.import('access-app.module.ts');
    const testing = await Test.createTestingModule({ imports: [AccessAppModule] }).compile();
    app = testing.createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
  });
  afterAll(async () => {
    delete process.env.TENANCY_JWT_SECRET;
    await app?.close();
    await database?.drop();
    examples?.remove();
  });

  it('does what it says', async () => {
    const made = await rawRequest(await app.getUrl(), '/admin/tenants', {
      method: 'POST',
      headers: { 'x-master-key': MASTER_KEY, 'content-type': 'application/json' },
      body: JSON.stringify({ slug: 'acme', apiKey: true }),
    });
    const get = async (path: string, headers: Record<string, string> = {}) =>
      rawRequest(await app.getUrl(), path, { headers });
    const { id, key } = made.body.apiKey;
    await expect(get('/reports', { 'x-api-key': key })).resolves.toEqual({
      status: 200,
      body: { tenant: 'acme', by: id, all: true },
    });
    const authorization = `Bearer ${await token({ tenant: 'acme', scope: 'reports:read' })}`;
    await expect(get('/reports', { authorization })).resolves.toMatchObject({
      body: { by: 'ann', all: false },
    });
    await expect(get('/reports')).resolves.toMatchObject({ status: 401 });
    await expect(get('/reports/formats', { 'x-api-key': key })).resolves.toMatchObject({ status: 200 });
  });

  it('makes a tenant and its first key in one transaction', async () => {
    const { SignUpService } = await examples.import('sign-up.service.ts');
    const provisioner = app.get(TenantProvisioner, { strict: false });
    const keys = app.get(ApiKeys, { strict: false });
    const { tenant, apiKey } = await new SignUpService(provisioner, keys).signUp('globex');
    const me = await rawRequest(await app.getUrl(), '/me', { headers: { 'x-api-key': apiKey } });
    expect(me).toMatchObject({ status: 200, body: { tenantId: tenant.id, scopes: ['reports:*'] } });
    jest.spyOn(keys, 'create').mockRejectedValueOnce(new Error('no key'));
    await expect(new SignUpService(provisioner, keys).signUp('initech')).rejects.toThrow('no key');
    await expect(app.get(TenantLifecycle, { strict: false }).get('initech')).rejects.toMatchObject({
      code: 'TENANT_NOT_FOUND',
    });
  });

  it('gives scanners a pattern that finds keys', () => {
    const document = codeBlocks('docs/access.md');
    expect(document).toHaveLength(2);
    expect(makeKey('sk', '01890a5d-ac96-774b-bcce-b302099a8057').text).toMatch(
      /\bsk_[0-9a-f]{32}_[0-9A-Za-z]{49}\b/,
    );
  });
});
