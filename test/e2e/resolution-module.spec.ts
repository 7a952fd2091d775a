import { Controller, Get } from '@nestjs/common';
import { SignJWT } from 'jose';
import {
  CurrentTenant,
  fromDomain,
  fromHeader,
  fromPath,
  stripTenantPath,
  type TenancyOptions,
  TenancyModule,
  TenantLifecycle,
  TenantProvisioner,
  ValidationFailedError,
} from '../../lib';
import { fromJwtClaim } from '../../lib/jwt';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { rawRequest } from '../support/raw-request';
import { startTestApp, type TestApp } from '../support/test-app';

const SECRET = 'a secret that is only for tests, of more than 32 bytes';

@Controller()
class WhoController {
  @Get('who')
  who(@CurrentTenant('slug') slug: string) {
    return { slug };
  }
}

const served = (slug: string) => ({ status: 200, body: { slug } });
const refused = (status: number, code: string) => ({
  status,
  body: { statusCode: status, code, message: expect.any(String) },
});

describe('TenancyModule', () => {
  let database: TestDatabase;
  const open: TestApp[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(async () => {
    await Promise.all(open.map((app) => app.close()));
    await database.drop();
  });

  const start = async (options: Partial<TenancyOptions>) => {
    const app = await startTestApp(
      {
        imports: [TenancyModule.forRoot({ ...notesOptions(database), ...options })],
        controllers: [WhoController],
      },
      { prepare: (nest) => nest.use(stripTenantPath()) },
    );
    open.push(app);
    return app;
  };

  it('takes wildcard domains only when it is told to, and takes them away in any case', async () => {
    const strict = await start({});
    await strict.create({ slug: 'initech' });
    const domains = ['*.customer.com'];
    await expect(strict.create({ slug: 'umbrella', domains })).rejects.toThrow(ValidationFailedError);
    const strictly = strict.app.get(TenantLifecycle);
    await expect(strictly.addDomain('initech', '*.customer.com')).rejects.toThrow(ValidationFailedError);

    const app = await start({ wildcardDomains: true, resolvers: [fromDomain({ wildcards: true })] });
    const lifecycle = app.app.get(TenantLifecycle);
    await app.app
      .get(TenantProvisioner)
      .create({ slug: 'acme', domains: ['*.Customer.com', 'www.customer.com'] });
    await app.app.get(TenantProvisioner).create({ slug: 'globex', domains: ['shop.customer.com'] });
    const ask = (host: string) => rawRequest(app.url, '/who', { headers: { host } });

    await expect(ask('blog.customer.com')).resolves.toEqual(served('acme'));
    await expect(ask('shop.customer.com')).resolves.toEqual(served('globex'));
    for (const host of ['customer.com', 'a.blog.customer.com', '*.customer.com']) {
      await expect(ask(host)).resolves.toEqual(refused(400, 'TENANT_MISSING'));
    }
    await lifecycle.removeDomain('globex', 'shop.customer.com');
    await expect(ask('shop.customer.com')).resolves.toEqual(served('acme'));
    await expect(lifecycle.addDomain('globex', '*.customer.com')).rejects.toMatchObject({
      code: 'DOMAIN_TAKEN',
    });
    for (const domain of ['*.com', '*.co.uk', '*', 'a.*.customer.com', '*.*.customer.com']) {
      await expect(lifecycle.addDomain('globex', domain)).rejects.toThrow(ValidationFailedError);
    }

    await strictly.removeDomain('acme', '*.customer.com');
    await expect(strictly.get('acme')).resolves.toMatchObject({ domains: ['www.customer.com'] });
  });

  it('joins path, token and trusted proxies', async () => {
    const app = await start({
      trustedProxies: ['loopback'],
      resolvers: [
        fromHeader('x-tenant-id'),
        fromPath(),
        fromDomain(),
        fromJwtClaim({ claim: 'tenant', secret: SECRET }),
      ],
    });
    await app.create({ slug: 'hooli', domains: ['shop.hooli.com'] });
    const token = await new SignJWT({ tenant: 'hooli', exp: Math.floor(Date.now() / 1_000) + 60 })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(Buffer.from(SECRET));
    const ask = (path: string, headers: Record<string, string>) => rawRequest(app.url, path, { headers });
    const authorization = `Bearer ${token}`;

    // Twice: the second time the tenant and the token are remembered.
    for (const _time of [1, 2]) {
      await expect(ask('/t/hooli/who', { authorization })).resolves.toEqual(served('hooli'));
      await expect(ask('/who', { authorization })).resolves.toEqual(served('hooli'));
      await expect(ask('/who', { 'x-forwarded-host': 'shop.hooli.com' })).resolves.toEqual(served('hooli'));
      await expect(ask('/t/initech/who', { authorization })).resolves.toEqual(
        refused(403, 'TENANT_MISMATCH'),
      );
      await expect(ask('/who', { 'x-tenant-id': 'initech', authorization })).resolves.toEqual(
        refused(403, 'TENANT_MISMATCH'),
      );
    }
  });
});

it('The main entry needs no jose', () => {
  jest.isolateModules(() => {
    jest.doMock('jose', () => {
      throw Object.assign(new Error("Cannot find module 'jose'"), { code: 'MODULE_NOT_FOUND' });
    });
    expect(() => jest.requireActual('../../lib/jwt')).toThrow('"jose" is not installed');
    expect(jest.requireActual('../../lib')).toHaveProperty('TenancyModule');
  });
});
