import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';
import { TenancyModule, type Tenant } from '../../lib';
import { uuidV7 } from '../../lib/common/uuid-v7';
import { TenancyEventsModule } from '../../lib/events';
import { TenancyWebhooksModule } from '../../lib/webhooks';
import { cleanEnvironment, programArguments, REPOSITORY } from '../support/commands';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { startTestApp, type TestApp } from '../support/test-app';
import { insertEndpoint, LocalReceiver, webhooksToThisMachine } from '../support/webhook-endpoints';

describe('Webhooks of instances that are killed', () => {
  let database: TestDatabase;
  let acme: Tenant;
  let receiver: LocalReceiver;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    receiver = new LocalReceiver();
    await receiver.start();
    database = await createTestDatabase();
    const { deliveries, ...options } = webhooksToThisMachine(receiver.port);
    const test: TestApp = await startTestApp({
      imports: [
        TenancyModule.forRoot(
          notesOptions(database, {
            database: { url: database.poolUrl, directUrl: database.url, connectAttempts: 1 },
          }),
        ),
        TenancyEventsModule.forRoot(),
        TenancyWebhooksModule.forRoot({ ...options, deliveries: { ...deliveries, enabled: false } }),
      ],
    });
    acme = await test.create({ slug: 'acme' });
    // Its follower has begun by then, at the end of the trail.
    while ((await database.query(`SELECT FROM tenancy.event_followers WHERE name = 'webhooks'`)).length === 0)
      await wait(20);
    await test.close();
  });
  afterEach(async () => {
    for (const child of children.splice(0)) await kill(child);
    receiver.received.length = 0;
    await database.query('DELETE FROM tenancy.webhook_endpoints');
  });
  afterAll(async () => {
    await database?.drop();
    await receiver?.stop();
  });

  async function instance(): Promise<ChildProcess> {
    const child = spawn(
      process.execPath,
      programArguments(
        join(__dirname, 'webhooks-program.ts'),
        ...[database.poolUrl, database.url, String(receiver.port)],
      ),
      { cwd: REPOSITORY, env: cleanEnvironment(), stdio: ['ignore', 'pipe', 'inherit'] },
    );
    children.push(child);
    await once(child.stdout, 'data');
    return child;
  }

  async function kill(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
  }

  /** Commits events of the tenant, as code does that is killed right after. */
  async function happen(count: number): Promise<string[]> {
    const ids = Array.from({ length: count }, () => uuidV7());
    await database.query(
      `INSERT INTO tenancy.tenant_event_outbox (id, tenant_id, type, actor_type, data)
       SELECT id, $2, 'order.shipped', 'system', '{}' FROM unnest($1::uuid[]) AS id`,
      [ids, acme.id],
    );
    return ids;
  }

  /** As if the leases of those who are gone had ended. */
  const endLeases = () =>
    Promise.all([
      database.query(`UPDATE tenancy.webhook_lanes SET lease_until = now() WHERE lease_until > now()`),
      database.query(`UPDATE tenancy.event_backlogs SET due_at = now() WHERE due_at > now()`),
    ]);

  const receivedIds = () => receiver.received.map(({ headers }) => headers['webhook-id']);

  async function untilAll(ids: readonly string[]): Promise<void> {
    for (;;) {
      const received = new Set(receivedIds());
      if (ids.every((id) => received.has(id))) return;
      await wait(20);
    }
  }

  const allDelivered = async () => {
    const open = async () =>
      (await database.query(`SELECT FROM tenancy.webhook_deliveries WHERE status <> 'delivered'`)).length;
    while ((await open()) > 0) await wait(20);
  };

  it('arrive after a kill between the commit and the delivery', async () => {
    await insertEndpoint(database, acme.id, `${receiver.url}/hooks`);
    const first = await instance();
    const [ids] = await Promise.all([happen(20), kill(first)]);
    await endLeases();
    await instance();
    await untilAll(ids);
    await allDelivered();
  });

  it('arrive again with the same id, signed anew, after a kill in the middle of a delivery', async () => {
    const { secret } = await insertEndpoint(database, acme.id, `${receiver.url}/hooks`);
    // It has the event, and the answer never comes.
    receiver.answer = () => undefined;
    const first = await instance();
    const [id] = await happen(1);
    await untilAll([id]);
    await kill(first);
    receiver.answer = (_webhook, response) => void response.writeHead(204).end();
    await endLeases();
    await instance();
    while (receiver.received.length < 2) await wait(20);
    await allDelivered();
    expect(receivedIds()).toEqual([id, id]);
    for (const { body, headers } of receiver.received)
      expect(new Webhook(secret).verify(body, headers)).toMatchObject({ id, type: 'order.shipped' });
  });

  it('arrive, few of them twice, after two instances were killed at once', async () => {
    const count = 400;
    for (let index = 0; index < 4; index++)
      await insertEndpoint(database, acme.id, `${receiver.url}/hooks-${index}`);
    const instances = await Promise.all([instance(), instance()]);
    const ids = await happen(count);
    while (receiver.received.length < count) await wait(5);
    await Promise.all(instances.map(kill));
    const before = receiver.received.length;
    expect(before).toBeLessThan(4 * count);
    await endLeases();
    await instance();
    await allDelivered();
    for (let index = 0; index < 4; index++) {
      const own = receiver.received.filter(({ path }) => path === `/hooks-${index}`);
      expect(new Set(own.map(({ headers }) => headers['webhook-id']))).toEqual(new Set(ids));
      // What was sent in the turn that was broken off.
      expect(own.length - count).toBeLessThanOrEqual(25);
    }
  });
});
