import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { TenancyModule, TenantProvisioner } from '../../lib';
import { ApiKeys, TenancyAccessModule } from '../../lib/access';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { notesOptions } from '../support/notes';
import { rawRequest } from '../support/raw-request';
import { signingKey, type SigningKey, TokenIssuer } from '../support/token-issuer';

const refusal = (status: number, code: string) => ({ status, body: expect.objectContaining({ code }) });
const served = (tenant: string) => ({ status: 200, body: { tenant, orders: [] } });

describe('docs/resolving.md, the examples', () => {
  let examples: Examples;
  let database: TestDatabase;
  let issuer: TokenIssuer;
  let key: SigningKey;
  let app: INestApplication;

  beforeAll(async () => {
    examples = writeExamples('docs/quick-start.md', 'docs/resolving.md');
    database = await createTestDatabase();
    issuer = await TokenIssuer.start();
    key = await signingKey('first');
    issuer.publish(key);
    Object.assign(process.env, { DATABASE_URL: database.url, ISSUER: issuer.url });
    await startModule('every-resolver.module.ts', 'EveryResolverModule');
    await app.get(TenantProvisioner).create({ slug: 'acme', domains: ['shop.acme.test'] });
    await app.get(TenantProvisioner).create({ slug: 'globex', domains: ['*.globex.test'] });
    await app.close();
  });
  afterEach(() => app.close());
  afterAll(async () => {
    delete process.env.ISSUER;
    await issuer.close();
    await database.drop();
    examples.remove();
  });

  async function startModule(file: string, name: string): Promise<void> {
    const testing = await Test.createTestingModule({
      imports: [(await examples.import(file))[name]],
    }).compile();
    app = testing.createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
  }

  const get = async (path: string, headers: Record<string, string> = {}) =>
    rawRequest(await app.getUrl(), path, { headers });

  it('find a tenant by each of the resolvers, the first of which decides', async () => {
    await startModule('every-resolver.module.ts', 'EveryResolverModule');
    for (const [path, headers] of [
      ['/orders', { 'x-tenant-id': 'acme' }],
      ['/orders', { host: 'acme.example.com:8080' }],
      ['/orders', { host: 'shop.acme.test' }],
      ['/orders?tenant=acme', {}],
      ['/orders', { cookie: 'theme=dark; tenant=acme' }],
    ] as [string, Record<string, string>][]) {
      await expect(get(path, headers)).resolves.toEqual(served('acme'));
    }
    await expect(get('/orders', { host: 'any.globex.test' })).resolves.toEqual(served('globex'));
    await expect(get('/orders', { 'x-tenant-id': 'globex', host: 'acme.example.com' })).resolves.toEqual(
      served('globex'),
    );
    await expect(get('/orders', { 'x-tenant-id': 'nobody', host: 'acme.example.com' })).resolves.toEqual(
      refusal(404, 'TENANT_NOT_FOUND'),
    );
    await expect(get('/orders')).resolves.toEqual(refusal(400, 'TENANT_MISSING'));
  });

  it.each(['prefixed.main.ts', 'express.main.ts', 'fastify.main.ts'])(
    'serve tenants in paths: %s',
    async (file) => {
      app = await (await examples.import(file)).start(0);
      for (const slug of ['acme', 'globex']) {
        await expect(get(`/t/${slug}/orders`)).resolves.toEqual(served(slug));
      }
      for (const path of ['/t/nobody/orders', '/t/%61cme/orders']) {
        await expect(get(path)).resolves.toEqual(refusal(404, 'TENANT_NOT_FOUND'));
      }
      await expect(get('/t/acme/orders/price-list')).resolves.toEqual({ status: 200, body: { tea: 2 } });
    },
  );

  it('believe a token of the issuer, and an API key, and want them to agree', async () => {
    await startModule('token.module.ts', 'TokenModule');
    const { hashOf } = await examples.import('from-api-key.ts');
    app.get<Map<string, string>>('API_KEYS').set(hashOf('a key'), 'acme');
    const bearer = async (tenant: string) => ({
      authorization: `Bearer ${await issuer.token(key, { aud: 'orders', org: { tenant } })}`,
    });
    const acme = await bearer('acme');
    const globex = await bearer('globex');
    const mismatch = refusal(403, 'TENANT_MISMATCH');

    await expect(get('/orders', acme)).resolves.toEqual(served('acme'));
    await expect(get('/orders', globex)).resolves.toEqual(served('globex'));
    await expect(get('/orders', { 'x-api-key': 'a key' })).resolves.toEqual(served('acme'));
    await expect(get('/orders', { ...acme, 'x-api-key': 'a key' })).resolves.toEqual(served('acme'));
    await expect(get('/orders', { ...globex, 'x-api-key': 'a key' })).resolves.toEqual(mismatch);
    await expect(get('/orders', { ...acme, 'x-api-key': 'another' })).resolves.toEqual(mismatch);
    await expect(get('/orders', { ...acme, host: 'acme.example.com' })).resolves.toEqual(served('acme'));
    await expect(get('/orders', { ...globex, host: 'acme.example.com' })).resolves.toEqual(mismatch);
    await expect(get('/orders', { authorization: 'Bearer none' })).resolves.toEqual(
      refusal(401, 'TENANT_TOKEN_INVALID'),
    );
    await expect(get('/orders')).resolves.toEqual(refusal(400, 'TENANT_MISSING'));
  });

  it("ask one of this library's in one's own", async () => {
    const { fromApiKeyOfApi } = await examples.import('from-api-key-of-api.ts');
    const options = {
      resolvers: [fromApiKeyOfApi],
      templateSchema: 'partners_template',
      registry: { schema: 'partners' },
    };
    const testing = await Test.createTestingModule({
      imports: [TenancyModule.forRoot(notesOptions(database, options)), TenancyAccessModule.forRoot()],
    }).compile();
    app = testing.createNestApplication({ logger: false });
    app.setGlobalPrefix('api', { exclude: ['me'] });
    await app.listen(0, '127.0.0.1');
    const { id } = await app.get(TenantProvisioner).create({ slug: 'partner' });
    const { key: text } = await app.get(ApiKeys).create(id, { name: 'partner' });
    await expect(get('/api/tenant/keys', { 'x-api-key': text })).resolves.toEqual(
      refusal(403, 'SCOPE_MISSING'),
    );
    await expect(get('/me', { 'x-api-key': text })).resolves.toEqual(refusal(401, 'UNAUTHENTICATED'));
  });
});
