import { setTimeout as pause } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import { uuidV7 } from '../lib/common/uuid-v7';
import { TenancyEventsModule } from '../lib/events/tenancy-events.module';
import { fromHeader, type Tenant, TenancyModule, TenantProvisioner } from '../lib/index';
import { TenancyWebhooksModule } from '../lib/webhooks/tenancy-webhooks.module';
import type { TestDatabase } from '../test/support/database';
import { insertEndpoint, LocalReceiver, webhooksToThisMachine } from '../test/support/webhook-endpoints';
import { type BenchEnvironment, type Row, WrongAnswerError } from './bench';
import { openDatabase } from './bench-database';
import { queryAt } from './bench-server';
import { median, rounded } from './measure';

const ENDPOINTS = 20;
const EVENTS = 100;
const VARIANT = 'deliveries';

interface World {
  readonly url: string;
  readonly tenant: Tenant;
  readonly receiver: LocalReceiver;
}

/**
 * How many webhooks a second one instance delivers to a receiver on this machine: from the commit of the events to the last
 * answer, with all that is written of them.
 */
export async function measureDeliveries(
  environment: BenchEnvironment,
): Promise<{ readonly row: Row; readonly deliveriesPerSecond: number }> {
  const world = await openWorld(environment);
  const samples: { readonly opsPerSecond: number; readonly p50Ms: number; readonly p99Ms: number }[] = [];
  for (let round = 0; round < environment.options.rounds; round++) {
    const sample = await deliver(world);
    environment.progress(`round ${round + 1}: ${VARIANT} ${rounded(sample.opsPerSecond)} a second`);
    samples.push(sample);
  }
  const of = (key: 'opsPerSecond' | 'p50Ms' | 'p99Ms') => rounded(median(samples.map((each) => each[key])));
  const row = { variant: VARIANT, opsPerSecond: of('opsPerSecond'), p50Ms: of('p50Ms'), p99Ms: of('p99Ms') };
  return { row, deliveriesPerSecond: row.opsPerSecond };
}

async function openWorld({ server, cleanUp }: BenchEnvironment): Promise<World> {
  const contents = { name: 'webhooks', description: 'nothing', build: () => Promise.resolve() };
  const url = await openDatabase(server, contents, cleanUp);
  const receiver = new LocalReceiver();
  await receiver.start();
  cleanUp.add(() => receiver.stop());
  const app = await NestFactory.createApplicationContext(
    {
      module: class AppModule {},
      imports: [
        TenancyModule.forRoot({
          database: { url },
          entities: [],
          migrations: [],
          resolvers: [fromHeader('x-tenant-id')],
        }),
        TenancyEventsModule.forRoot(),
        TenancyWebhooksModule.forRoot(webhooksToThisMachine(receiver.port)),
      ],
    },
    { logger: ['error', 'warn'] },
  );
  cleanUp.add(() => app.close());
  const tenant = await app.get(TenantProvisioner).create({ slug: 'acme' });
  const database = { query: (sql: string, values?: unknown[]) => queryAt(url, sql, values) };
  for (let index = 0; index < ENDPOINTS; index++)
    await insertEndpoint(database as TestDatabase, tenant.id, `${receiver.url}/hooks-${index}`);
  return { url, tenant, receiver };
}

async function deliver({ url, tenant, receiver }: World) {
  receiver.received.length = 0;
  const ids = Array.from({ length: EVENTS }, () => uuidV7());
  const start = performance.now();
  await queryAt(
    url,
    `INSERT INTO tenancy.tenant_event_outbox (id, tenant_id, type, actor_type, data)
     SELECT id, $2, 'order.shipped', 'system', '{}' FROM unnest($1::uuid[]) AS id`,
    [ids, tenant.id],
  );
  const count = EVENTS * ENDPOINTS;
  const timings = async () => {
    const [found] = await queryAt(
      url,
      `SELECT count(*)::int, percentile_disc(0.5) WITHIN GROUP (ORDER BY a.duration_ms) AS p50,
         percentile_disc(0.99) WITHIN GROUP (ORDER BY a.duration_ms) AS p99
       FROM tenancy.webhook_deliveries d JOIN tenancy.webhook_attempts a ON a.delivery_id = d.id
       WHERE d.event_id = ANY ($1::uuid[]) AND d.status = 'delivered'`,
      [ids],
    );
    return found as { count: number; p50: number; p99: number };
  };
  while (receiver.received.length < count) await pause(2);
  let { count: written, p50, p99 } = await timings();
  while (written < count) ({ count: written, p50, p99 } = await timings());
  const opsPerSecond = (count / (performance.now() - start)) * 1_000;
  const received = new Set(receiver.received.map(({ path, headers }) => `${path} ${headers['webhook-id']}`));
  if (received.size !== count) throw new WrongAnswerError(VARIANT, count, received.size);
  return { opsPerSecond, p50Ms: p50, p99Ms: p99 };
}
