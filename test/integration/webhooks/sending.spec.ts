import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { TenancyModule, type Tenant, TenantContext, TenantLifecycle } from '../../../lib';
import { uuidV7 } from '../../../lib/common/uuid-v7';
import { TenantLookup } from '../../../lib/registry/cache/tenant-lookup';
import { RegistryTime } from '../../../lib/registry/registry-time';
import { TenancyWebhooksModule } from '../../../lib/webhooks';
import { DeliveryMeter } from '../../../lib/webhooks/deliveries/delivery-meter';
import { DeliveryRows } from '../../../lib/webhooks/deliveries/delivery-rows';
import { DeliverySweeper } from '../../../lib/webhooks/deliveries/delivery-sweeper';
import { DeliveryWorker } from '../../../lib/webhooks/deliveries/delivery-worker';
import { WebhookDisabling } from '../../../lib/webhooks/deliveries/webhook-disabling';
import { WebhookLanes } from '../../../lib/webhooks/deliveries/webhook-lanes';
import { type CheckedWebhooksOptions, WEBHOOKS_OPTIONS } from '../../../lib/webhooks/webhooks.options';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { notesOptions } from '../../support/notes';
import { startTestApp, type TestApp } from '../../support/test-app';
import { FakeReceivers } from '../../support/webhook-receivers';

let database: TestDatabase;
let test: TestApp;
let acme: Tenant;
let rows: DeliveryRows;
let receivers: FakeReceivers;
const workers: DeliveryWorker[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  test = await startTestApp({
    imports: [
      TenancyModule.forRoot(notesOptions(database)),
      TenancyWebhooksModule.forRoot({
        encryptionKeys: { k1: Buffer.alloc(32).toString('base64') },
        deliveries: { enabled: false },
      }),
    ],
  });
  acme = await test.create({ slug: 'acme' });
  rows = test.app.get(DeliveryRows, { strict: false });
});
beforeEach(() => {
  receivers = new FakeReceivers();
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.onModuleDestroy()));
  await database.query('DELETE FROM tenancy.webhook_endpoints');
});
afterAll(async () => {
  await test?.close();
  await database?.drop();
});

/** One more instance that sends. */
function instance(changes: Partial<CheckedWebhooksOptions['deliveries']> = {}): DeliveryWorker {
  const get = <T>(token: new (...args: never[]) => T): T => test.app.get(token, { strict: false });
  const options = test.app.get<CheckedWebhooksOptions>(WEBHOOKS_OPTIONS, { strict: false });
  const worker = new DeliveryWorker(
    get(WebhookLanes),
    receivers,
    get(TenantLookup),
    test.app.get(RegistryTime, { strict: false }),
    get(TenantContext),
    new DeliveryMeter(),
    get(WebhookDisabling),
    {
      ...options,
      deliveries: { ...options.deliveries, enabled: true, shutdownTimeoutMs: 0, ...changes },
    },
  );
  workers.push(worker);
  worker.onApplicationBootstrap();
  return worker;
}

async function endpoint(url: string, tenant = acme): Promise<string> {
  const id = uuidV7();
  await database.query('INSERT INTO tenancy.webhook_endpoints (id, tenant_id, url) VALUES ($1, $2, $3)', [
    ...[id, tenant.id, url],
  ]);
  return id;
}

/** Adds that many events for an endpoint. */
async function add(endpointId: string, count = 1, tenant = acme): Promise<string[]> {
  const deliveries = Array.from({ length: count }, () => ({
    ...{ id: uuidV7(), endpointId, tenantId: tenant.id, eventId: randomUUID() },
    ...{ type: 'order.shipped', payload: '{"type":"order.shipped"}' },
  }));
  await rows.add(deliveries);
  return deliveries.map(({ id }) => id);
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await wait(10);
}

const inStatus = async (endpointId: string, status: string): Promise<number> =>
  Number(
    (
      await database.query<{ count: string }>(
        'SELECT count(*) FROM tenancy.webhook_deliveries WHERE endpoint_id = $1 AND status = $2',
        [endpointId, status],
      )
    )[0].count,
  );

/** As if that much time had passed. */
async function pass(interval: string): Promise<void> {
  await database.query(
    `UPDATE tenancy.webhook_deliveries SET next_attempt_at = next_attempt_at - $1::interval,
       created_at = created_at - $1::interval, finished_at = finished_at - $1::interval`,
    [interval],
  );
  await database.query(
    'UPDATE tenancy.webhook_endpoints SET first_failed_at = first_failed_at - $1::interval',
    [interval],
  );
  await database.query(
    `UPDATE tenancy.webhook_lanes SET next_at = next_at - $1::interval, hold_until = hold_until - $1::interval,
       lease_until = lease_until - $1::interval`,
    [interval],
  );
  for (const worker of workers) worker.wake();
}

it('sends each delivery once, however many instances there are, and keeps what became of it', async () => {
  const urls = Array.from({ length: 8 }, (_none, index) => `https://receiver-${index}.test/`);
  const endpoints = await Promise.all(urls.map((url) => endpoint(url)));
  for (const url of urls) receivers.answer(url, () => wait(2, { status: 204, durationMs: 1 }));
  for (const each of endpoints) await add(each, 60);
  for (let count = 0; count < 3; count++) instance({ perSecondPerEndpoint: 10_000 });
  for (const each of endpoints) await until(async () => (await inStatus(each, 'delivered')) === 60);
  expect(receivers.requests).toHaveLength(480);
  expect(new Set(receivers.requests.map(({ id }) => id)).size).toBe(480);
  expect(receivers.mostAtOnce).toBe(4);
  const [attempts] = await database.query<object>(
    `SELECT count(*)::int, count(DISTINCT delivery_id)::int AS deliveries, min(status), max(duration_ms)
     FROM tenancy.webhook_attempts`,
  );
  expect(attempts).toEqual({ count: 480, deliveries: 480, min: 204, max: 1 });
});

it('tries ten times, with the same id and ever new times, and lists the delivery as dead after that', async () => {
  const url = 'https://broken.test/';
  receivers.answer(url, () => ({ status: 500, durationMs: 12 }));
  const [id] = await add(await endpoint(url));
  instance();
  for (let attempts = 1; attempts <= 10; attempts++) {
    await until(async () => (await rows.attempts(id)).length === attempts);
    await pass('27 hours');
  }
  const requests = receivers.to(url);
  expect(new Set(requests.map((request) => request.id)).size).toBe(1);
  expect(new Set(requests.map(({ at }) => at.getTime())).size).toBe(10);
  const [delivery] = await database.query<object>(
    'SELECT status, attempt FROM tenancy.webhook_deliveries WHERE id = $1',
    [id],
  );
  expect(delivery).toEqual({ status: 'dead', attempt: 10 });
});

it('waits for nobody: a receiver that hangs gets its four requests, and all others get theirs', async () => {
  const hanging = Array.from({ length: 6 }, (_none, index) => `https://hanging-${index}.test/`);
  const ends: (() => void)[] = [];
  for (const url of hanging) {
    receivers.answer(
      url,
      () =>
        new Promise((resolve) =>
          ends.push(() => resolve({ durationMs: 15_000, error: 'No answer within 15 s.' })),
        ),
    );
    await add(await endpoint(url), 20);
  }
  instance({ endpointsAtOnce: 8 });
  await until(() => ends.length === 24);
  const sound = await endpoint('https://sound.test/');
  await add(sound, 20);
  await until(async () => (await inStatus(sound, 'delivered')) === 20);
  expect(receivers.mostAtOnce).toBe(4);
  expect(ends).toHaveLength(24);
  // They fail from now on, and get half of the places of an instance at most, with one request each.
  const late = receivers.requests.length;
  for (const end of ends.splice(0)) end();
  await until(
    async () => (await database.query('SELECT FROM tenancy.webhook_lanes WHERE failures = 4')).length === 6,
  );
  await pass('1 minute');
  await until(() => ends.length === 4);
  await add(sound, 20);
  await until(async () => (await inStatus(sound, 'delivered')) === 40);
  expect(receivers.requests).toHaveLength(late + 4 + 20);
  for (const end of ends) end();
});

it('keeps to the rate of an endpoint, also from one turn to the next', async () => {
  const url = 'https://slow-rate.test/';
  const times: number[] = [];
  receivers.answer(url, () => (times.push(performance.now()), { status: 204, durationMs: 1 }));
  const id = await endpoint(url);
  await add(id, 40);
  instance({ perSecondPerEndpoint: 100 });
  instance({ perSecondPerEndpoint: 100 });
  await until(async () => (await inStatus(id, 'delivered')) === 40);
  expect(times.at(-1)! - times[0]).toBeGreaterThan(380);
});

it('comes when the receiver has asked for it with Retry-After, and leaves it alone until then', async () => {
  const url = 'https://busy.test/';
  receivers.answer(url, () => ({ status: 429, retryAfter: '3600', durationMs: 1 }));
  const id = await endpoint(url);
  await add(id, 30);
  instance();
  await until(
    async () =>
      (await database.query('SELECT FROM tenancy.webhook_lanes WHERE hold_until > now()')).length === 1,
  );
  const asked = receivers.to(url).length;
  expect(asked).toBeLessThanOrEqual(4);
  await pass('50 minutes');
  await add(id);
  receivers.answer(url, () => ({ status: 204, durationMs: 1 }));
  await pass('9 minutes');
  const [{ wait: seconds }] = await database.query<{ wait: number }>(
    'SELECT extract(epoch FROM next_at - now())::float8 AS wait FROM tenancy.webhook_lanes',
  );
  expect(seconds).toBeGreaterThan(0);
  expect(receivers.to(url)).toHaveLength(asked);
  await pass('7 minutes');
  await until(async () => (await inStatus(id, 'delivered')) === 31);
});

it('disables an endpoint whose receiver answers 410, and keeps what it has not got', async () => {
  const url = 'https://gone.test/';
  receivers.answer(url, () => ({ status: 410, durationMs: 1 }));
  const id = await endpoint(url);
  await add(id, 30);
  const worker = instance();
  const state = async () =>
    (await database.query<object>('SELECT status, disabled_reason FROM tenancy.webhook_endpoints'))[0];
  await until(async () => (await database.query('SELECT FROM tenancy.webhook_attempts')).length > 0);
  expect(await state()).toEqual({ status: 'disabled', disabled_reason: 'The receiver answered 410 Gone.' });
  const asked = receivers.to(url).length;
  expect(asked).toBeLessThanOrEqual(4);
  expect(await inStatus(id, 'pending')).toBe(30);
  await pass('27 hours');
  worker.wake();
  await until(
    async () =>
      (
        await database.query(
          `SELECT FROM tenancy.webhook_lanes WHERE hold_until > now() + interval '5 minutes'`,
        )
      ).length === 1,
  );
  expect(receivers.to(url)).toHaveLength(asked);
  receivers.answer(url, () => ({ status: 204, durationMs: 1 }));
  await database.query(`UPDATE tenancy.webhook_endpoints SET status = 'enabled'`);
  await rows.release({ endpointIds: [id] });
  worker.wake();
  await until(async () => (await inStatus(id, 'delivered')) === 30);
});

it('disables an endpoint after five days without any delivery, and no sooner', async () => {
  const url = 'https://silent.test/';
  receivers.answer(url, () => ({ durationMs: 15_000, error: 'connect ETIMEDOUT' }));
  const id = await endpoint(url);
  const statusNow = async () =>
    (await database.query<{ status: string }>('SELECT status FROM tenancy.webhook_endpoints'))[0].status;
  await add(id);
  instance();
  const failed = async (count: number) => {
    await until(() => receivers.to(url).length === count);
    await until(async () => (await database.query('SELECT FROM tenancy.webhook_attempts')).length === count);
  };
  const silentFor = (interval: string) =>
    database.query('UPDATE tenancy.webhook_endpoints SET first_failed_at = now() - $1::interval', [interval]);
  for (let count = 1; count <= 9; count++) {
    await failed(count);
    // Few failures disable nothing, whatever a clock says.
    await silentFor('6 days');
    await pass('27 hours');
  }
  await silentFor('4 days 23 hours');
  await failed(10);
  expect(await statusNow()).toBe('enabled');
  await silentFor('5 days');
  await add(id);
  await pass('6 minutes');
  await failed(11);
  expect(await statusNow()).toBe('disabled');
});

it('keeps what a suspended tenant has not got, and sends it when the tenant is active again', async () => {
  const globex = await test.create({ slug: 'globex' });
  const lifecycle = test.app.get(TenantLifecycle, { strict: false });
  const id = await endpoint('https://globex.test/', globex);
  await lifecycle.suspend(globex.id);
  await add(id, 3, globex);
  const sound = await endpoint('https://sound.test/');
  await add(sound, 3);
  const worker = instance();
  await until(async () => (await inStatus(sound, 'delivered')) === 3);
  await until(
    async () =>
      (await database.query('SELECT FROM tenancy.webhook_lanes WHERE hold_until > now()')).length === 1,
  );
  expect(receivers.to('https://globex.test/')).toEqual([]);
  await lifecycle.activate(globex.id);
  await rows.release({ tenantIds: [globex.id] });
  worker.wake();
  await until(async () => (await inStatus(id, 'delivered')) === 3);
});

it('goes on with the endpoints of an instance that is gone, when its leases end', async () => {
  const id = await endpoint('https://receiver.test/');
  await add(id, 3);
  const lanes = test.app.get(WebhookLanes, { strict: false });
  const [lost] = await lanes.claim({ token: randomUUID(), leaseMs: 45_000, lanes: 1, failing: 1, batch: 25 });
  expect(lost.due).toHaveLength(3);
  const worker = instance();
  await pass('40 seconds');
  expect(
    await lanes.claim({ token: randomUUID(), leaseMs: 45_000, lanes: 1, failing: 1, batch: 25 }),
  ).toEqual([]);
  await pass('10 seconds');
  await until(async () => (await inStatus(id, 'delivered')) === 3);
  // What the lost one writes later changes nothing of the lane.
  await add(id);
  await lanes.settle(
    [
      {
        ...{ endpointId: id, token: lost.token, attempts: [], failures: 5, hasArrived: false },
        ...{ holdMs: 1_000_000, isGone: false },
      },
    ],
    () => Promise.reject(new Error('It is not disabled.')),
  );
  worker.wake();
  await until(async () => (await inStatus(id, 'delivered')) === 4);
});

it('does not wait for a time that PostgreSQL had before its clock was set back', async () => {
  const id = await endpoint('https://receiver.test/');
  await add(id, 2);
  await database.query(
    `UPDATE tenancy.webhook_deliveries SET next_attempt_at = next_attempt_at + interval '300 days'`,
  );
  await database.query(
    `UPDATE tenancy.webhook_lanes SET next_at = next_at + interval '300 days', lease_until = now() + interval '300 days'`,
  );
  await test.app.get(DeliverySweeper, { strict: false }).sweep();
  instance();
  await until(async () => (await inStatus(id, 'delivered')) === 2);
});

it('gives up what has waited for three days behind a silent receiver, and removes what is old', async () => {
  const id = await endpoint('https://silent.test/');
  await add(id, 1_500);
  await pass('76 hours');
  const sweeper = test.app.get(DeliverySweeper, { strict: false });
  expect(await sweeper.sweep()).toEqual({ givenUp: 0, removed: 0, problems: [] });
  await database.query(`UPDATE tenancy.webhook_endpoints SET first_failed_at = now() - interval '76 hours'`);
  expect(await sweeper.sweep()).toEqual({ givenUp: 1_500, removed: 0, problems: [] });
  expect(await inStatus(id, 'dead')).toBe(1_500);
  await pass('31 days');
  expect(await sweeper.sweep()).toEqual({ givenUp: 0, removed: 1_500, problems: [] });
});
