import type { INestApplication } from '@nestjs/common';
import { getQueueToken } from '@nestjs/bullmq';
import { NestFactory } from '@nestjs/core';
import type { Job } from 'bullmq';
import { type Tenant, TenantContext, TenantProvisioner } from '../../lib';
import type { TenantQueue } from '../../lib/bullmq';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { CARRY_KEYS } from '../support/queue-app';
import { MASTER_KEY } from '../support/sample-app';
import { type TestRedis, startRedis } from '../support/system/redis';
import { RecordingLogger } from '../support/test-app';

describe('docs/queues.md, with BullMQ', () => {
  let redis: TestRedis;
  let database: TestDatabase;
  let examples: Examples;
  let app: INestApplication;
  let acme: Tenant;

  beforeAll(async () => {
    [redis, database] = await Promise.all([startRedis(), createTestDatabase()]);
    examples = writeExamples('docs/quick-start.md', 'docs/queues.md');
    const [{ id, secret }] = CARRY_KEYS;
    Object.assign(process.env, {
      DATABASE_URL: database.url,
      TENANCY_MASTER_KEY: MASTER_KEY,
      TENANCY_CARRY_KEYS: `${id}:${secret}`,
      REDIS_PORT: String(redis.port),
    });
    const { JobsModule } = await examples.import('jobs.module.ts');
    app = await NestFactory.create(JobsModule, { logger: new RecordingLogger(), abortOnError: false });
    await app.init();
    acme = await app.get(TenantProvisioner).create({ slug: 'acme' });
  });
  afterAll(async () => {
    await app?.close();
    await redis?.stop();
    await database?.drop();
    examples?.remove();
    delete process.env.TENANCY_CARRY_KEYS;
  });

  it('makes the orders of a tenant, at once and every hour', async () => {
    const { OrderImports } = await examples.import('order-imports.ts');
    const imports = app.get(OrderImports);
    const { worker } = app.get((await examples.import('orders.processor.ts')).OrdersProcessor);
    let count = 0;
    const finished = new Promise<void>((resolve) =>
      worker.on('completed', () => (count += 1) === 3 && resolve()),
    );
    await app.get(TenantContext).run(acme, async () => {
      await imports.add(['tea', 'biscuit']);
      await imports.addHourly('milk');
    });
    await finished;
    const rows = await database.query<{ description: string }>(
      `SELECT description FROM "${acme.schemaName}".orders ORDER BY 1`,
    );
    expect(rows.map(({ description }) => description)).toEqual(['biscuit', 'milk', 'tea']);
    const queue = app.get<TenantQueue<unknown, string>>(getQueueToken('orders'));
    const [{ data, opts }] = (await queue.getJobs(['completed'])) as Job[];
    expect(Object.keys(data)).toEqual(['description']);
    expect(JSON.stringify(opts)).toMatch(/"tenancy":\{[^}]*"t":"tc1:/);
  });
});
