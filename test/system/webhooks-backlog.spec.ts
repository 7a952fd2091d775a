import { TenancyModule, TenantContext } from '../../lib';
import { TenancyEventsModule } from '../../lib/events';
import { TenantLookup } from '../../lib/registry/cache/tenant-lookup';
import { RegistryTime } from '../../lib/registry/registry-time';
import { TenancyWebhooksModule } from '../../lib/webhooks';
import { DeliveryMeter } from '../../lib/webhooks/deliveries/delivery-meter';
import { DeliveryWorker } from '../../lib/webhooks/deliveries/delivery-worker';
import { WebhookDisabling } from '../../lib/webhooks/deliveries/webhook-disabling';
import { WebhookLanes } from '../../lib/webhooks/deliveries/webhook-lanes';
import { type CheckedWebhooksOptions, WEBHOOKS_OPTIONS } from '../../lib/webhooks/webhooks.options';
import { collectGarbage } from '../support/collect-garbage';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { startTestApp, type TestApp } from '../support/test-app';
import { FakeReceivers } from '../support/webhook-receivers';

const ENDPOINTS = 200;
const DUE = 100_000;
const SENT = 5_000;

let database: TestDatabase;
let test: TestApp;

beforeAll(async () => {
  database = await createTestDatabase();
  test = await startTestApp({
    imports: [
      TenancyModule.forRoot(
        notesOptions(database, {
          database: { url: database.poolUrl, directUrl: database.url, connectAttempts: 1 },
        }),
      ),
      TenancyEventsModule.forRoot(),
      TenancyWebhooksModule.forRoot({
        encryptionKeys: { k1: Buffer.alloc(32).toString('base64') },
        deliveries: { enabled: false },
      }),
    ],
  });
});
afterAll(async () => {
  await test?.close();
  await database?.drop();
});

it('meets 100,000 due deliveries after an outage with no more requests and memory than ever', async () => {
  const { id } = await test.create({ slug: 'acme' });
  await database.query(
    `INSERT INTO tenancy.webhook_endpoints (id, tenant_id, url)
     SELECT gen_random_uuid(), $1, 'https://receiver.test/' || i FROM generate_series(1, ${ENDPOINTS}) i`,
    [id],
  );
  await database.query(
    `INSERT INTO tenancy.webhook_deliveries (id, endpoint_id, tenant_id, event_id, type, payload)
     SELECT gen_random_uuid(), e.id, e.tenant_id, gen_random_uuid(), 'order.shipped', repeat('x', 1000)
     FROM tenancy.webhook_endpoints e, generate_series(1, ${DUE / ENDPOINTS})`,
  );
  await database.query(
    `INSERT INTO tenancy.webhook_lanes (endpoint_id, tenant_id, next_at)
     SELECT id, tenant_id, now() FROM tenancy.webhook_endpoints`,
  );
  const get = <T>(token: new (...args: never[]) => T): T => test.app.get(token, { strict: false });
  const options = test.app.get<CheckedWebhooksOptions>(WEBHOOKS_OPTIONS, { strict: false });
  const receivers = new FakeReceivers();
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const worker = new DeliveryWorker(
    get(WebhookLanes),
    receivers,
    get(TenantLookup),
    test.app.get(RegistryTime, { strict: false }),
    get(TenantContext),
    new DeliveryMeter(),
    get(WebhookDisabling),
    { ...options, deliveries: { ...options.deliveries, enabled: true, perSecondPerEndpoint: 10_000 } },
  );
  worker.onApplicationBootstrap();
  while (receivers.requests.length < SENT) await new Promise((resolve) => setTimeout(resolve, 10));
  await worker.onModuleDestroy();
  const urls = new Set(receivers.requests.map(({ url }) => url));
  receivers.requests.length = 0;
  collectGarbage();
  // All that is due would be 100 MB.
  expect((process.memoryUsage().heapUsed - before) / 1_048_576).toBeLessThan(20);
  expect(receivers.mostAtOnce).toBeLessThanOrEqual(4);
  expect(receivers.mostTogether).toBeLessThanOrEqual(128);
  // Each endpoint has its turn before any has sent all that it has.
  expect(urls.size).toBeGreaterThanOrEqual(SENT / 25 / 2);
});
