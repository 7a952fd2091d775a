import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { TenancyModule, type Tenant, TenantContext, TenantLifecycle } from '../../../lib';
import { uuidV7 } from '../../../lib/common/uuid-v7';
import { EventFollower, TenancyEventsModule } from '../../../lib/events';
import { TenantLookup } from '../../../lib/registry/cache/tenant-lookup';
import { EventTrail } from '../../../lib/registry/events/event-trail';
import type { TenantEvent } from '../../../lib/registry/events/tenant-event';
import { RegistryTime } from '../../../lib/registry/registry-time';
import { TenancyWebhooksModule } from '../../../lib/webhooks';
import { DeliveryMeter } from '../../../lib/webhooks/deliveries/delivery-meter';
import { DeliveryRows } from '../../../lib/webhooks/deliveries/delivery-rows';
import { DeliverySweeper } from '../../../lib/webhooks/deliveries/delivery-sweeper';
import { DeliveryWorker } from '../../../lib/webhooks/deliveries/delivery-worker';
import { WebhookDeliveries } from '../../../lib/webhooks/deliveries/webhook-deliveries';
import { WebhookDisabling } from '../../../lib/webhooks/deliveries/webhook-disabling';
import { WebhookFanOut } from '../../../lib/webhooks/deliveries/webhook-fan-out';
import { WebhookLanes } from '../../../lib/webhooks/deliveries/webhook-lanes';
import { type CheckedWebhooksOptions, WEBHOOKS_OPTIONS } from '../../../lib/webhooks/webhooks.options';
import { WebhooksHealth } from '../../../lib/webhooks/deliveries/webhooks-health';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { notesOptions } from '../../support/notes';
import { startTestApp, type TestApp } from '../../support/test-app';
import { FakeReceivers } from '../../support/webhook-receivers';

const metrics = new Registry();
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
      TenancyEventsModule.forRoot(),
      TenancyWebhooksModule.forRoot({
        encryptionKeys: { k1: Buffer.alloc(32).toString('base64') },
        timeoutMs: 60_000,
        deliveries: { enabled: false, metricsRegistry: metrics },
      }),
    ],
  });
  // What else happens to tenants here is sent to nobody: each test says what does.
  await test.app.get(EventFollower).onModuleDestroy();
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
  // A request may take a minute, and while it does, no other instance has the endpoint.
  expect(
    await database.query(`SELECT FROM tenancy.webhook_lanes WHERE lease_until < now() + '60 s'`),
  ).toEqual([]);
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
  const reason = 'The receiver answered 410 Gone.';
  expect(await state()).toEqual({ status: 'disabled', disabled_reason: reason });
  const trail = test.app.get(EventTrail, { strict: false });
  const [event, ...others] = await trail.list({ types: ['webhook.*'], subject: id, limit: 9 });
  expect(event).toMatchObject({
    ...{
      tenantId: acme.id,
      type: 'webhook.disabled',
      subject: id,
      data: { host: new URL(url).host, reason },
    },
  });
  expect(others).toEqual([]);
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
    // Few failures disable nothing, whatever a clock says. Before the last one: what passes makes it 4 days and 23 hours.
    await silentFor(count < 9 ? '6 days' : '3 days 20 hours');
    await pass('27 hours');
  }
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

it('does not hold what is sent again for an instance that saw the tenant suspended just before', async () => {
  const id = await endpoint('https://receiver.test/');
  await add(id);
  const lanes = test.app.get(WebhookLanes, { strict: false });
  const token = randomUUID();
  await lanes.claim({ token, leaseMs: 45_000, lanes: 1, failing: 1, batch: 25 });
  await rows.release({ tenantIds: [acme.id] });
  const seen = { endpointId: id, token, attempts: [], failures: 0, hasArrived: false, isGone: false };
  await lanes.settle([{ ...seen, holdMs: 600_000 }], () => Promise.resolve());
  const due = 'next_at <= now() AND hold_until IS NULL AND lease_until > now() AS is_due';
  await expect(database.query(`SELECT ${due} FROM tenancy.webhook_lanes`)).resolves.toEqual([
    { is_due: true },
  ]);
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

describe('events of the trail', () => {
  const happened = (
    tenantId: string | null,
    type: string,
    changes: Partial<TenantEvent> = {},
  ): TenantEvent => ({
    ...{ id: uuidV7(), tenantId, type, actor: { type: 'operator', id: 'ops' }, subject: 'o-1' },
    ...{
      data: { items: 2 },
      // PostgreSQL rounds to milliseconds, so an endpoint made just now may seem to be made after it.
      occurredAt: new Date(Date.now() + 1),
      sequence: '7',
      position: '9',
      hash: '',
      previousHash: '',
    },
    ...changes,
  });
  const of = (url: string) => receivers.to(url).map(({ body }) => (JSON.parse(body) as TenantEvent).type);

  it('go once to each endpoint of their tenant that wants their type', async () => {
    const other = await test.create({ slug: 'other' });
    const all = await endpoint('https://all.test/');
    for (const [url, types] of [
      ['https://orders.test/', ['order.*', 'invoice.paid']],
      ['https://every.test/', ['*']],
    ] as const)
      await database.query('UPDATE tenancy.webhook_endpoints SET types = $2 WHERE id = $1', [
        ...[await endpoint(url), types],
      ]);
    const off = await endpoint('https://off.test/');
    await database.query(`UPDATE tenancy.webhook_endpoints SET status = 'disabled' WHERE id = $1`, [off]);
    await endpoint('https://others.test/', other);
    const events = [
      happened(acme.id, 'order.shipped'),
      happened(acme.id, 'orders.archived'),
      happened(acme.id, 'invoice.paid'),
      happened(acme.id, 'order.paid', { occurredAt: new Date(Date.now() - 60_000) }),
      happened(other.id, 'order.shipped'),
      happened(null, 'order.shipped'),
    ];
    const fanOut = test.app.get(WebhookFanOut, { strict: false });
    await Promise.all([fanOut.take(events), fanOut.take(events), fanOut.take(events.slice(0, 2))]);
    await fanOut.take(events);
    instance();
    await until(async () => (await inStatus(all, 'delivered')) === 3);
    await until(() => receivers.requests.length === 9);
    expect(of('https://all.test/').sort()).toEqual(['invoice.paid', 'order.shipped', 'orders.archived']);
    expect(of('https://every.test/').sort()).toEqual(['invoice.paid', 'order.shipped', 'orders.archived']);
    expect(of('https://orders.test/').sort()).toEqual(['invoice.paid', 'order.shipped']);
    expect(of('https://others.test/')).toEqual(['order.shipped']);
    const [first] = receivers.to('https://others.test/');
    expect(first.id).toBe(events[4].id);
    expect(JSON.parse(first.body)).toEqual({
      ...{ id: events[4].id, type: 'order.shipped', timestamp: events[4].occurredAt.toISOString() },
      ...{ sequence: '7', subject: 'o-1', data: { items: 2 } },
    });
  });

  it('go to a tenant that is active again, with what was kept for it', async () => {
    const id = await endpoint('https://acme.test/');
    await add(id, 2);
    await database.query(
      `UPDATE tenancy.webhook_lanes SET hold_until = now() + interval '9 minutes', next_at = now() + interval '9 minutes'`,
    );
    await test.app.get(WebhookFanOut, { strict: false }).take([happened(acme.id, 'tenant.activated')]);
    instance();
    await until(async () => (await inStatus(id, 'delivered')) === 3);
  });
});

it('sends one again, all dead ones since a time, and a test', async () => {
  const url = 'https://receiver.test/';
  const id = await endpoint(url);
  const deliveries = test.app.get(WebhookDeliveries, { strict: false });
  const added = await add(id, 1_203);
  await database.query(
    `UPDATE tenancy.webhook_deliveries SET status = 'dead', attempt = 10, finished_at = now(),
       created_at = CASE WHEN id = $1 THEN now() - interval '2 days' ELSE created_at END`,
    [added[0]],
  );
  const worker = instance({ perSecondPerEndpoint: 10_000 });
  const tested = await deliveries.test(acme.id, id);
  worker.wake();
  await until(() => receivers.requests.length === 1);
  expect(receivers.requests[0]).toMatchObject({ id: tested.eventId, url });
  expect(JSON.parse(receivers.requests[0].body)).toMatchObject({ type: 'webhook.test', data: {} });
  const since = new Date(Date.now() - 3_600_000);
  expect(await deliveries.resendSince(acme.id, id, { since })).toBe(1_202);
  worker.wake();
  await until(async () => (await inStatus(id, 'delivered')) === 1_203);
  expect(await deliveries.get(acme.id, id, added[0])).toMatchObject({ status: 'dead', attempts: [] });
  await deliveries.resend(acme.id, id, added[0]);
  await deliveries.resend(acme.id, id, added[1]);
  worker.wake();
  await until(async () => (await inStatus(id, 'delivered')) === 1_204);
  await until(() => receivers.requests.length === 1_205);
  const again = await deliveries.get(acme.id, id, added[1]);
  expect(again).toMatchObject({ status: 'delivered', attempt: 1 });
  expect(again.attempts).toHaveLength(2);
  const page = await deliveries.list(acme.id, id, { limit: 2, status: 'delivered' });
  expect(page.map((each) => each.id)).toEqual([tested.id, added.at(-1)]);
  const [, next] = await deliveries.list(acme.id, id, { limit: 2, beforeId: added.at(-1) });
  expect(next.id).toBe(added.at(-3));
});

it('shows an endpoint, and what was sent to it, to its own tenant alone', async () => {
  const id = await endpoint('https://receiver.test/');
  const [delivery] = await add(id);
  const stranger = await test.create({ slug: 'stranger' });
  const deliveries = test.app.get(WebhookDeliveries, { strict: false });
  const unknown = { code: 'WEBHOOK_ENDPOINT_NOT_FOUND' };
  await expect(deliveries.list(stranger.id, id, { limit: 9 })).rejects.toMatchObject(unknown);
  await expect(deliveries.get(stranger.id, id, delivery)).rejects.toMatchObject(unknown);
  await expect(deliveries.resend(stranger.id, id, delivery)).rejects.toMatchObject(unknown);
  await expect(deliveries.test(stranger.id, id)).rejects.toMatchObject(unknown);
  await expect(deliveries.list(acme.id, 'x', { limit: 9 })).rejects.toMatchObject(unknown);
  const own = await endpoint('https://stranger.test/', stranger);
  await expect(deliveries.get(stranger.id, own, delivery)).rejects.toMatchObject({
    code: 'WEBHOOK_DELIVERY_NOT_FOUND',
  });
  await database.query(`UPDATE tenancy.webhook_endpoints SET status = 'disabled'`);
  await expect(deliveries.test(acme.id, id)).rejects.toMatchObject({ code: 'WEBHOOK_DISABLED' });
  await expect(deliveries.resend(acme.id, id, delivery)).rejects.toMatchObject({ code: 'WEBHOOK_DISABLED' });
});

it('tells metrics and health what waits, and blames no receiver on us', async () => {
  const health = test.app.get(WebhooksHealth, { strict: false });
  expect(await health.deliveries()).toEqual({
    webhooks: { oldestMs: 0, overdueMs: 0, inFlight: 0, status: 'up' },
  });
  await add(await endpoint('https://receiver.test/'));
  await pass('10 minutes');
  const found = (await health.deliveries()).webhooks;
  expect(found).toMatchObject({ inFlight: 0, status: 'down' });
  expect(Number(found.overdueMs)).toBeGreaterThanOrEqual(600_000);
  const shown = await metrics.metrics();
  expect(shown).toMatch(/tenancy_webhook_waiting_seconds\{kind="overdue"\} 60\d/);
  expect(shown).toMatch(/tenancy_webhook_waiting_seconds\{kind="oldest"\} 60\d/);
  expect(shown).toContain('tenancy_webhook_attempts_total{result="delivered"} 0');
  expect(shown).toContain('tenancy_webhooks_in_flight 0');
  await database.query(`UPDATE tenancy.webhook_lanes SET next_at = now() + interval '5 minutes'`);
  expect((await health.deliveries()).webhooks).toMatchObject({ overdueMs: 0, status: 'up' });
});
