import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { Tenant } from '../../lib';
import { TenancyModule } from '../../lib';
import { TenancyAdminModule, withMasterKeyScheme } from '../../lib/admin';
import { setting, TenancySettingsModule } from '../../lib/settings';
import { TenancyUsageModule } from '../../lib/usage';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { MASTER_KEY } from '../support/sample-app';
import { startTestApp, type TestApp } from '../support/test-app';

// A document's parts are asked for by path; what is missing fails the test.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Part = any;

describe('The OpenAPI document of usage and settings', () => {
  let database: TestDatabase;
  let running: TestApp;
  let acme: Tenant;
  let document: Part;

  beforeAll(async () => {
    database = await createTestDatabase();
    running = await startTestApp({
      imports: [
        TenancyModule.forRoot(notesOptions(database)),
        TenancyUsageModule.forRoot({
          plans: { free: { exports: { limit: 5, per: 'month', hard: true } } },
          defaultPlan: 'free',
        }),
        TenancySettingsModule.forRoot({ settings: { theme: setting({ default: 'light', tenant: 'read' }) } }),
        TenancyAdminModule.forRoot({ masterKey: MASTER_KEY, usage: true, settings: true }),
      ],
    });
    acme = await running.create({ slug: 'acme' });
    const config = withMasterKeyScheme(new DocumentBuilder().build());
    document = JSON.parse(JSON.stringify(SwaggerModule.createDocument(running.app, config)));
  });
  afterAll(async () => {
    await running?.close();
    await database?.drop();
  });

  const schemaOf = (path: string): Part => {
    const { $ref } = document.paths[path].get.responses['200'].content['application/json'].schema;
    return document.components.schemas[$ref.slice('#/components/schemas/'.length)];
  };

  it('has the calls of the tenant itself, beside those of the operator', () => {
    const calls = Object.entries<Part>(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method} ${path}`),
    );
    expect(calls).toEqual(
      expect.arrayContaining([
        'get /tenant/usage',
        'get /admin/tenants/{tenant}/usage',
        'get /tenant/settings',
        'get /admin/tenants/{tenant}/settings',
      ]),
    );
  });

  it('describes what is answered: every field, and no other', async () => {
    const { status, body } = await running.get('/tenant/usage?from=2026-11-01&to=2026-11-30', acme.slug);
    expect({ status, tenant: body.tenantId }).toEqual({ status: 200, tenant: acme.id });
    for (const path of ['/tenant/usage', '/admin/tenants/{tenant}/usage']) {
      const { properties } = schemaOf(path);
      expect(Object.keys(properties).sort()).toEqual(Object.keys(body).sort());
      const quota = properties.quotas.items.properties;
      expect(Object.keys(quota).sort()).toEqual(Object.keys(body.quotas[0]).sort());
    }
  });

  it.each(['/tenant/usage', '/admin/tenants/{tenant}/usage'])('names the query of %s', (path) => {
    const { parameters } = document.paths[path].get;
    const inQuery = parameters.filter((each: Part) => each.in === 'query');
    expect(inQuery).toEqual([
      expect.objectContaining({ name: 'from', required: false }),
      expect.objectContaining({ name: 'to', required: false }),
    ]);
  });

  it('says how the tenant’s own calls fail', () => {
    const { responses } = document.paths['/tenant/usage'].get;
    expect(Object.keys(responses)).toEqual(expect.arrayContaining(['200', '400', '403', '404', '503']));
  });
});
