import { Logger } from '@nestjs/common';
import { RunningApp } from './running-app';

describe('those who run the application', () => {
  let running: RunningApp;

  beforeAll(async () => {
    running = await RunningApp.start();
  });
  afterAll(() => running.close());

  it('see that it is healthy, without a credential', async () => {
    const { body } = await running.ask('GET /health').expect(200);
    expect(body).toMatchObject({ status: 'ok', info: { registry: { status: 'up' } } });
  });

  it('see metrics of each tenant, with the token of Prometheus alone', async () => {
    const { tenant, key } = await running.makeTenant();
    await running.ask('GET /orders', { key }).expect(200);
    await running.ask('GET /metrics').expect(401);
    await running.ask('GET /metrics', { headers: { authorization: 'Bearer another' } }).expect(401);
    const authorization = `Bearer ${process.env.METRICS_TOKEN}`;
    const { text } = await running.ask('GET /metrics', { headers: { authorization } }).expect(200);
    expect(text).toContain(`tenancy_requests_total{tenant="${tenant.slug}",status="2xx"} 1`);
  });

  it('read in the log whose request it was, and no secret', async () => {
    const { tenant, key } = await running.makeTenant();
    await running.ask('GET /orders', { key });
    const secrets = { authorization: 'Bearer s3cret', cookie: 'session=s3cret', 'x-master-key': 's3cret' };
    for (const line of [
      'GET /orders',
      'GET /nowhere',
      'GET /orders?page=2&access_token=s3cret',
      'GET /admin/tenants',
      'POST /sign-up',
      'POST /graphql',
    ])
      await running.ask(line, { key, headers: secrets });
    new Logger('Test').error(
      Object.assign(new Error('failed'), { parameters: ['s3cret'], detail: 's3cret' }),
    );
    const lines = running.log.map((line) => JSON.parse(line));
    expect(lines).toContainEqual(
      expect.objectContaining({
        tenantSlug: tenant.slug,
        req: expect.objectContaining({ url: '/orders' }),
        res: expect.objectContaining({ statusCode: 200 }),
      }),
    );
    expect(lines.filter(({ req }) => req?.url === '/nowhere')).toHaveLength(1);
    for (const secret of ['s3cret', key]) expect(running.log.join('')).not.toContain(secret);
  });

  it('give their tenants a page of the API, without the admin API', async () => {
    await running.ask('GET /docs').expect(200).expect('content-type', /html/);
    const { body } = await running.ask('GET /docs-json').expect(200);
    const paths = Object.keys(body.paths);
    expect(paths).toEqual(
      expect.arrayContaining(['/sign-up', '/orders', '/summaries', '/me', '/tenant/keys']),
    );
    expect(paths.filter((path) => /admin|metrics|health/.test(path))).toEqual([]);
    expect(body.paths['/orders'].get).toMatchObject({ security: [expect.anything()] });
  });
});
