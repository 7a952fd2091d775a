import { randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import { rawRequest } from '../support/raw-request';
import { ADAPTERS, type SampleApp, startSampleApp } from '../support/sample-app';

describe.each(ADAPTERS)('The orders sample on %s', (_name, adapter) => {
  let sample: SampleApp;

  beforeAll(async () => {
    sample = await startSampleApp(adapter);
    for (const slug of ['acme', 'globex']) {
      expect(await sample.admin('POST /admin/tenants', { slug })).toMatchObject({ status: 201 });
    }
  });
  afterAll(() => sample.close());

  it('is healthy without a tenant', async () => {
    await expect(sample.call('GET /health')).resolves.toMatchObject({ status: 200, body: { status: 'ok' } });
  });

  it('keeps each tenant’s orders to itself', async () => {
    const made = await sample.call('POST /orders', { tenant: 'acme', body: { description: 'tea' } });
    expect(made).toMatchObject({
      status: 201,
      body: { id: expect.any(String), description: 'tea', createdAt: expect.stringMatching(/Z$/) },
    });
    await expect(sample.call('GET /orders', { tenant: 'acme' })).resolves.toMatchObject({
      body: [made.body],
    });
    await expect(sample.call('GET /orders', { tenant: 'globex' })).resolves.toMatchObject({
      status: 200,
      body: [],
    });
    const path = `GET /orders/${made.body.id}`;
    await expect(sample.call(path, { tenant: 'acme' })).resolves.toMatchObject({
      status: 200,
      body: made.body,
    });
    await expect(sample.call(path, { tenant: 'globex' })).resolves.toMatchObject({ status: 404 });
  });
});

describe.each(ADAPTERS)('The orders sample with TENANCY_JWT_SECRET on %s', (_name, adapter) => {
  const secret = randomBytes(32).toString('hex');
  let sample: SampleApp;

  beforeAll(async () => {
    sample = await startSampleApp(adapter, () => ({ TENANCY_JWT_SECRET: secret }));
    await sample.admin('POST /admin/tenants', { slug: 'acme', domains: ['shop.acme.test'] });
    await sample.admin('POST /admin/tenants', { slug: 'globex' });
  });
  afterAll(async () => {
    delete process.env.TENANCY_JWT_SECRET;
    await sample.close();
  });

  const bearer = async (tenant: unknown, key = secret) => {
    const token = new SignJWT({ tenant }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1h');
    return { authorization: `Bearer ${await token.sign(Buffer.from(key))}` };
  };

  it('knows its tenant by a token alone', async () => {
    for (const slug of ['acme', 'globex']) {
      await expect(sample.call('GET /tenant', { headers: await bearer(slug) })).resolves.toMatchObject({
        status: 200,
        body: { slug },
      });
    }
  });

  it('refuses a token that names another tenant than the header or the host', async () => {
    const mismatch = { status: 403, body: { code: 'TENANT_MISMATCH' } };
    const headers = await bearer('globex');
    await expect(sample.call('GET /tenant', { tenant: 'acme', headers })).resolves.toMatchObject(mismatch);
    for (const host of ['acme.localhost', 'shop.acme.test']) {
      await expect(
        rawRequest(sample.url, '/tenant', { headers: { ...headers, host } }),
      ).resolves.toMatchObject(mismatch);
    }
    await expect(sample.call('GET /tenant', { tenant: 'globex', headers })).resolves.toMatchObject({
      status: 200,
    });
  });

  it('refuses a token that somebody else has signed, and serves requests without one as before', async () => {
    const headers = await bearer('acme', randomBytes(32).toString('hex'));
    await expect(sample.call('GET /tenant', { headers })).resolves.toMatchObject({
      status: 401,
      body: { code: 'TENANT_TOKEN_INVALID' },
    });
    await expect(sample.call('GET /health', { headers })).resolves.toMatchObject({ status: 200 });
    await expect(sample.call('GET /tenant', { tenant: 'acme' })).resolves.toMatchObject({ status: 200 });
    await expect(sample.call('GET /tenant')).resolves.toMatchObject({ status: 400 });
  });
});
