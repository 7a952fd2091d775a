import { ADAPTERS, type SampleApp, startSampleApp } from '../support/sample-app';
import { rawRequest } from '../support/raw-request';

const refusal = (status: number, code: string, message: string) => ({
  status,
  body: { statusCode: status, code, message },
});
const NOT_FOUND = refusal(404, 'TENANT_NOT_FOUND', 'No such tenant.');
const MISSING = refusal(400, 'TENANT_MISSING', 'The request names no tenant.');

describe.each(ADAPTERS)('The orders sample on %s', (_platform, adapter) => {
  let sample: SampleApp;
  const ids: Record<string, string> = {};

  beforeAll(async () => {
    sample = await startSampleApp(adapter);
    for (const slug of ['acme', 'globex']) {
      const { body } = await sample.admin('POST /admin/tenants', {
        slug,
        name: `The ${slug}`,
        domains: [`shop.${slug}.com`],
      });
      ids[slug] = body.id as string;
    }
  });
  afterAll(() => sample.close());

  const ask = (headers: Record<string, string>, path = '/tenant') =>
    rawRequest(sample.url, path, { headers });
  const served = (slug: string) => ({ status: 200, body: { id: ids[slug], slug, name: `The ${slug}` } });

  it('knows its tenant by slug and by id in X-Tenant-ID, by host under localhost, and by registered domain', async () => {
    await expect(ask({ 'x-tenant-id': 'acme' })).resolves.toEqual(served('acme'));
    await expect(ask({ 'x-tenant-id': ids.acme })).resolves.toEqual(served('acme'));
    await expect(ask({ 'x-tenant-id': ids.acme.toUpperCase() })).resolves.toEqual(served('acme'));
    for (const host of [
      'acme.localhost',
      'acme.localhost:3000',
      'ACME.localhost.:80',
      'shop.acme.com',
      'Shop.Acme.COM.:443',
    ]) {
      await expect(ask({ host })).resolves.toEqual(served('acme'));
    }
  });

  it('lets the first claim decide: header, then host', async () => {
    await expect(ask({ 'x-tenant-id': 'globex', host: 'acme.localhost' })).resolves.toEqual(served('globex'));
    await expect(ask({ 'x-tenant-id': 'globex', host: 'shop.acme.com' })).resolves.toEqual(served('globex'));
  });

  it.each([
    ['a slug', 'nobody'],
    ['an id', '01890a5d-ac96-774b-bcce-b302099a8057'],
    ['nothing', ''],
    ['a domain', 'shop.acme.com'],
  ])(
    'answers 404 to a header that names nobody, %s, even when the host names a tenant',
    async (_kind, value) => {
      for (const host of ['acme.localhost', 'shop.acme.com', 'localhost']) {
        await expect(ask({ 'x-tenant-id': value, host })).resolves.toEqual(NOT_FOUND);
        await expect(ask({ 'x-tenant-id': value, host }, '/orders')).resolves.toEqual(NOT_FOUND);
      }
    },
  );

  it.each([
    'localhost',
    '127.0.0.1:3000',
    'www.localhost',
    'a.acme.localhost',
    'shop.initech.com',
    'acme.com',
    '[::1]:80',
  ])('answers 400 when nothing names a tenant: %s', async (host) => {
    await expect(ask({ host })).resolves.toEqual(MISSING);
    await expect(ask({ host }, '/health')).resolves.toEqual({ status: 200, body: { status: 'ok' } });
  });

  it('answers 404 to a subdomain of nobody, whatever the path', async () => {
    for (const path of ['/tenant', '/orders', '/orders/5']) {
      await expect(ask({ host: 'nobody.localhost' }, path)).resolves.toEqual(NOT_FOUND);
    }
  });

  it('is healthy whoever asks', async () => {
    const several: Record<string, string>[] = [
      { host: 'nobody.localhost' },
      { 'x-tenant-id': '' },
      { host: 'acme.localhost' },
    ];
    for (const headers of several) {
      await expect(ask(headers, '/health')).resolves.toEqual({ status: 200, body: { status: 'ok' } });
    }
  });

  it('says which status keeps a tenant from being served', async () => {
    await sample.admin('POST /admin/tenants', { slug: 'hooli' });
    await sample.admin('POST /admin/tenants/hooli/suspend');
    const refused = refusal(403, 'TENANT_NOT_ACTIVE', 'Tenant "hooli" is not active (status: suspended).');
    await expect(ask({ 'x-tenant-id': 'hooli' })).resolves.toEqual(refused);
    await expect(ask({ host: 'hooli.localhost' }, '/orders')).resolves.toEqual(refused);
  });

  it.each([
    ['no body', undefined],
    ['an empty description', { description: '' }],
    ['no description', {}],
    ['a number', { description: 5 }],
    ['null', { description: null }],
    ['NUL', { description: 'a\0b' }],
    ['1,001 characters', { description: 'x'.repeat(1_001) }],
    ['a list', [{ description: 'tea' }]],
  ])('refuses an order with %s', async (_case, body) => {
    const answer = await sample.call('POST /orders', { tenant: 'globex', body });
    expect(answer).toMatchObject({ status: 400, body: { statusCode: 400 } });
    await expect(sample.call('GET /orders', { tenant: 'globex' })).resolves.toMatchObject({ body: [] });
  });

  it('keeps what an order says just as it was written', async () => {
    const description = `'; DROP TABLE orders; -- "ü" 🍵 \\ %s $1`;
    const { body } = await sample.call('POST /orders', {
      tenant: 'acme',
      body: { description, id: ids.acme },
    });
    expect(body).toEqual({ id: expect.any(String), description, createdAt: expect.any(String) });
    expect(body.id).not.toBe(ids.acme);
    await expect(sample.call('GET /orders', { tenant: 'acme' })).resolves.toMatchObject({ body: [body] });
  });

  it.each(['5', 'abc', '%00', '01890a5d-ac96-774b-bcce-b302099a8057', "'%20OR%20true"])(
    'answers 404 to an order that is not there: %s',
    async (id) => {
      await expect(sample.call(`GET /orders/${id}`, { tenant: 'acme' })).resolves.toMatchObject({
        status: 404,
        body: { statusCode: 404 },
      });
    },
  );
});
