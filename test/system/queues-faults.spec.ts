import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type BulkJobOptions, type Job, QueueEvents } from 'bullmq';
import { Redis } from 'ioredis';
import { type Tenant, TenantContext } from '../../lib';
import { cleanEnvironment, programArguments, REPOSITORY } from '../support/commands';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { SlowProcessor, type SlowQueueApp, startSlowQueueApp } from '../support/slow-queue-app';
import { type TestRedis, startRedis } from '../support/system/redis';

describe('Queues of BullMQ, when something breaks', () => {
  let redis: TestRedis;
  let database: TestDatabase;
  let test: SlowQueueApp;
  let events: QueueEvents;
  let acme: Tenant;
  let globex: Tenant;

  beforeAll(async () => {
    [redis, database] = await Promise.all([startRedis(), createTestDatabase()]);
    test = await startSlowQueueApp(database, redis.port);
    events = new QueueEvents('slow', { connection: { port: redis.port, retryStrategy: () => 20 } });
    events.on('error', () => undefined);
    await events.waitUntilReady();
    acme = await test.create({ slug: 'acme' });
    globex = await test.create({ slug: 'globex' });
  });
  afterAll(async () => {
    await events?.close();
    await test?.close();
    await redis?.stop();
    await database?.drop();
  });
  beforeEach(() => {
    test.middle.begun.length = 0;
    test.middle.reached = () => Promise.resolve();
  });

  const add = (tenant: Tenant, text: string, app = test) =>
    app.app.get(TenantContext).run(tenant, () => app.queue.add('slow', { text }));
  const done = (job: Job) => job.waitUntilFinished(events, 60_000);
  const within = <T>(tenant: Tenant, work: () => T): T => test.app.get(TenantContext).run(tenant, work);
  const bulk = (tenant: Tenant, name: string, count: number, opts?: BulkJobOptions) =>
    within(tenant, () =>
      test.queue.addBulk(
        Array.from({ length: count }, (_, i) => ({ name: 'slow', data: { text: `${name}-${i}` }, opts })),
      ),
    );

  /** A worker in a process of its own, which tells what it is at. */
  function startProgram() {
    const program = join(__dirname, 'slow-queue-program.ts');
    const child = spawn(process.execPath, programArguments(program, database.url, String(redis.port)), {
      cwd: REPOSITORY,
      env: cleanEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return { child, lines: createInterface(child.stdout), closed: once(child, 'close') };
  }

  it('a tenant’s few jobs come between those of one that has added many before', async () => {
    await test.queue.pause();
    const many = await bulk(acme, 'many', 60);
    const few = await bulk(globex, 'few', 3);
    const late = await bulk(acme, 'late', 3);
    await test.queue.resume();
    await Promise.all([...many, ...few, ...late].map(done));
    const places = ['few-0', 'few-1', 'few-2'].map((text) => test.middle.begun.indexOf(text));
    // One of the others before each, and one more that runs beside it.
    expect(places.every((place, i) => place <= 2 * i + 3)).toBe(true);
    expect(test.middle.begun.indexOf('late-0')).toBeGreaterThan(55);
  });

  it.each([
    ['delayed', () => bulk(acme, 'many', 60, { delay: 1 })],
    ['tried again', () => bulk(acme, 'many', 60, { attempts: 2, backoff: 1 })],
    [
      'of schedulers',
      () =>
        Promise.all(
          Array.from({ length: 60 }, (_, i) =>
            within(acme, () =>
              test.queue.upsertJobScheduler(
                `${acme.id} ${i}`,
                { every: 1e9, limit: 1 },
                { data: { text: `many-${i}` } },
              ),
            ),
          ),
        ),
    ],
  ])('and between those that are %s, all due before', async (kind, addMany) => {
    await test.queue.pause();
    const many = await addMany();
    if (kind === 'tried again') {
      const failed = new Set<string>();
      const allFailed = new Promise<void>((resolve) => {
        test.middle.reached = ({ text }) => {
          if (!text.startsWith('many') || failed.has(text)) return Promise.resolve();
          if (failed.add(text).size === 60) resolve();
          return Promise.reject(new Error('once'));
        };
      });
      await test.queue.resume();
      await allFailed;
      await test.queue.pause();
      while ((await test.queue.getActiveCount()) > 0) await new Promise((later) => setTimeout(later, 10));
      test.middle.begun.length = 0;
    } else await new Promise((due) => setTimeout(due, 20));
    const few = await bulk(globex, 'few', 3);
    const late = await bulk(acme, 'late', 3);
    await test.queue.resume();
    await Promise.all([...many, ...few, ...late].map(done));
    const first = Math.max(...['few-0', 'few-1', 'few-2'].map((text) => test.middle.begun.indexOf(text)));
    expect(first).toBeLessThanOrEqual(12);
    // Some are tried again before the queue stands still.
    expect(test.middle.begun.length).toBeGreaterThan(kind === 'tried again' ? 40 : 65);
    const starts = await Promise.all(many.map(({ id }) => test.queue.getJob(id!)));
    expect(new Set(starts.map((job) => job?.attemptsStarted))).toEqual(
      new Set([kind === 'tried again' ? 2 : 1]),
    );
  });

  it('turns go on when the places are used up', async () => {
    await test.queue.pause();
    const jobs = await bulk(acme, 'first', 2);
    const client = new Redis(redis.port, '127.0.0.1');
    const places = test.queue.toKey('tenancy-priorities');
    // As after two million rounds in which something has always waited.
    const last = 2 ** 21 - 2;
    for (const [i, { id }] of jobs.entries())
      await client.zadd(test.queue.toKey('prioritized'), (last + i) * 2 ** 32 + i, id!);
    await client.hset(places, { now: last, [acme.id]: last + 1 });
    client.disconnect();
    const more = await bulk(acme, 'more', 3);
    const other = await bulk(globex, 'other', 1);
    expect((await test.queue.getJobs(['prioritized'])).map(({ priority }) => priority)).not.toContain(
      2 ** 21 - 1,
    );
    await test.queue.resume();
    await Promise.all([...jobs, ...more, ...other].map(done));
    expect(test.middle.begun.indexOf('other-0')).toBeLessThanOrEqual(3);
    expect(test.middle.begun.indexOf('more-2')).toBeGreaterThanOrEqual(4);
  });

  it('what is added while Redis is away is added, and run for its tenant, when it is back', async () => {
    await redis.stop();
    const added = Promise.all([add(acme, 'meanwhile of acme'), add(globex, 'meanwhile of globex')]);
    await redis.start();
    for (const job of await added) {
      const slug = job.data.text.split(' ').at(-1);
      while ((await job.getState()) !== 'completed') await new Promise((resolve) => setTimeout(resolve, 20));
      expect((await test.queue.getJob(job.id!))!.returnvalue).toBe(slug);
    }
  });

  it('adding says after a time that Redis is away, and SIGTERM ends a worker nevertheless', async () => {
    const adding = await startSlowQueueApp(database, redis.port, [], { addTimeoutMs: 300 });
    const { child, lines, closed } = startProgram();
    for await (const line of lines) if (line === 'ready') break;
    await redis.stop();
    try {
      await expect(add(acme, 'never', adding)).rejects.toMatchObject({
        code: 'QUEUE_UNAVAILABLE',
        statusCode: 503,
        isSent: false,
      });
      child.kill('SIGTERM');
      await closed;
    } finally {
      await redis.start();
    }
    await adding.close();
    expect(await test.queue.getJobCounts('prioritized', 'wait')).toEqual({ prioritized: 0, wait: 0 });
  });

  it('a job whose worker is killed in the middle is run again, for the same tenant', async () => {
    const { worker } = test.app.get(SlowProcessor);
    await worker.pause();
    const { child, lines, closed } = startProgram();
    let job: Job | undefined;
    for await (const line of lines) {
      if (line === 'ready') job = await add(globex, 'killed');
      if (line === 'killed') child.kill('SIGKILL');
    }
    await closed;
    await worker.resume();
    await expect(done(job!)).resolves.toBe('globex');
    const rows = await database.query(`SELECT FROM "${globex.schemaName}".note WHERE text = 'killed'`);
    expect(rows).toHaveLength(1);
  });

  it('an application that shuts down ends its jobs first, each with its tenant', async () => {
    await test.app.get(SlowProcessor).worker.pause();
    const leaving = await startSlowQueueApp(database, redis.port);
    const begun = new Promise<void>((resolve) => {
      leaving.middle.reached = async () => {
        resolve();
        await new Promise((later) => setTimeout(later, 300));
      };
    });
    const job = await add(acme, 'last');
    await begun;
    await leaving.close();
    await expect(done(job)).resolves.toBe('acme');
    await test.app.get(SlowProcessor).worker.resume();
  });
});
