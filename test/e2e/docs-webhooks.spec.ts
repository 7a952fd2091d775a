import { randomBytes } from 'node:crypto';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TenantProvisioner } from '../../lib';
import { WebhookEndpoints } from '../../lib/webhooks';
import { signedHeaders } from '../../lib/webhooks/secrets/signature';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { MASTER_KEY } from '../support/sample-app';
import { startTestApp } from '../support/test-app';

describe('docs/webhooks.md', () => {
  const environment = { ...process.env };
  let examples: Examples;
  let database: TestDatabase;
  let app: INestApplication;

  beforeAll(async () => {
    examples = writeExamples('docs/quick-start.md', 'docs/webhooks.md');
    database = await createTestDatabase();
    Object.assign(process.env, {
      DATABASE_URL: database.url,
      TENANCY_MASTER_KEY: MASTER_KEY,
      WEBHOOKS_KEY: randomBytes(32).toString('base64'),
    });
    const { WebhooksAppModule } = await examples.import('webhooks-app.module.ts');
    app = await NestFactory.create(WebhooksAppModule, { logger: false, abortOnError: false });
    await app.init();
  });
  afterAll(async () => {
    process.env = environment;
    await app?.close();
    await database?.drop();
    examples?.remove();
  });

  it('makes an endpoint, whose secret a receiver verifies with, once for each webhook', async () => {
    const { id } = await app.get(TenantProvisioner).create({ slug: 'acme' });
    const { secret } = await app.get(WebhookEndpoints).create(id, { url: 'https://example.com/hooks' });
    process.env.WEBHOOK_SECRETS = secret;
    const { HooksController } = await examples.import('hooks.controller.ts');
    const said = jest.spyOn(console, 'log').mockImplementation();
    const receiver = await startTestApp({ controllers: [HooksController] });
    try {
      const body = '{ "type": "order.shipped" }';
      const headers = {
        'content-type': 'application/json',
        ...signedHeaders({ id: 'msg_1', at: new Date(), body }, [secret]),
      };
      const send = async (text: string) =>
        (await fetch(`${receiver.url}/hooks`, { method: 'POST', headers, body: text })).status;
      expect([await send(body), await send(body), await send(`${body} `)]).toEqual([204, 204, 400]);
      expect(said.mock.calls).toEqual([['order.shipped']]);
    } finally {
      said.mockRestore();
      await receiver.close();
    }
  });
});
