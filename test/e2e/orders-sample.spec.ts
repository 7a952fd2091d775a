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
