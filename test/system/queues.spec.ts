import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { Job, QueueEvents, type JobsOptions, type JobType } from 'bullmq';
import { type Tenant, TenantContext, TenantLifecycle, TenantPurge } from '../../lib';
import { TenantJobs } from '../../lib/bullmq';
import { EventTrail } from '../../lib/registry/events/event-trail';
import { checkTenantAdapter } from '../../lib/testing';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type NoteJob, type QueueApp, startQueueApp } from '../support/queue-app';
import { type TestRedis, startRedis } from '../support/system/redis';

describe('Queues of BullMQ on Redis', () => {
  let redis: TestRedis;
  let database: TestDatabase;
  let test: QueueApp;
  let events: QueueEvents;
  let acme: Tenant;
  let globex: Tenant;

  beforeAll(async () => {
    [redis, database] = await Promise.all([startRedis(), createTestDatabase()]);
    test = await startQueueApp(database, redis.port, { holdMinMs: 100, holdMaxMs: 100 });
    events = new QueueEvents('notes', { connection: { host: '127.0.0.1', port: redis.port } });
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

  const within = <T>(tenant: Tenant, work: () => T): T => test.app.get(TenantContext).run(tenant, work);
  const add = (tenant: Tenant, data: NoteJob, options?: JobsOptions) =>
    within(tenant, () => test.queue.add('note', data, options));
  const done = (job: Job) => job.waitUntilFinished(events, 60_000);
  const texts = async ({ schemaName }: Tenant) =>
    (await database.query<{ text: string }>(`SELECT text FROM "${schemaName}".note ORDER BY 1`)).map(
      ({ text }) => text,
    );
  /** What is kept in Redis of a job. */
  const edit = async (job: Job, field: string, change: (value: string) => string) => {
    const client = await test.queue.backend.client;
    const key = test.queue.toKey(job.id!);
    await client.hset(key, { [field]: change((await client.hget(key, field))!) });
  };
  const givenUp = async (tenant: Tenant, { id: subject }: Job) => {
    const query = { tenantId: tenant.id, types: ['job.gave-up'], subject, limit: 10 };
    return (await test.app.get(EventTrail, { strict: false }).list(query)).map(({ data }) => data);
  };
  const linesOf = (text: string) => test.diary.about(` ${text} `);

  it('run the jobs of each tenant for it, and their listeners too', async () => {
    const jobs = await Promise.all(
      Array.from({ length: 20 }, (_, i) => add(i % 2 ? acme : globex, { text: `mixed-${i}` })),
    );
    await Promise.all(jobs.map(done));
    for (const [tenant, odd] of [
      [acme, 1],
      [globex, 0],
    ] as const)
      expect((await texts(tenant)).filter((text) => text.startsWith('mixed'))).toEqual(
        Array.from({ length: 10 }, (_, i) => `mixed-${i * 2 + odd}`).sort(),
      );
    await test.diary.until('completed mixed', 20);
    await test.diary.until('active mixed', 20);
    for (const [i, slug] of [
      [0, 'globex'],
      [1, 'acme'],
    ] as const)
      expect(linesOf(`mixed-${i}`).sort()).toEqual(
        ['active', 'completed', 'process', 'processed'].map((event) => `${event} mixed-${i} ${slug}`),
      );
  });

  it('try again for the same tenant, with data that the job has replaced itself', async () => {
    const options = { attempts: 3, backoff: 10 };
    const jobs = [
      await add(acme, { text: 'tried', failures: 2 }, options),
      await add(acme, { text: 'step-1', then: { text: 'step-2', then: { text: 'step-3' } } }, options),
    ];
    await Promise.all(jobs.map(done));
    expect(await texts(acme)).toEqual(expect.arrayContaining(['tried', 'step-3']));
    expect(linesOf('tried').filter((line) => line.startsWith('process '))).toHaveLength(3);
    expect([...linesOf('tried'), ...linesOf('step-2')].filter((line) => !line.endsWith(' acme'))).toEqual([]);
  });

  it('leave an event of the tenant when they have failed for the last time, and none before', async () => {
    const failing = await add(acme, { text: 'hopeless', failures: 9 }, { attempts: 2, backoff: 10 });
    await expect(done(failing)).rejects.toThrow();
    await expect(givenUp(acme, failing)).resolves.toEqual([
      { queue: 'notes', name: 'note', attempts: 2, error: 'not yet' },
    ]);
  });

  it('carry the tenant in bulk, through flows, and through the jobs of schedulers', async () => {
    const bulk = await within(acme, () =>
      test.queue.addBulk([1, 2, 3].map((i) => ({ name: 'note', data: { text: `bulk-${i}` } }))),
    );
    const flow = await within(globex, () =>
      test.flows.add({
        name: 'parent',
        queueName: 'notes',
        data: { text: 'parent' },
        children: ['child-1', 'child-2'].map((text) => ({
          name: 'child',
          queueName: 'notes',
          data: { text },
        })),
      }),
    );
    // It gets its turn when its children are done, and they have theirs.
    expect(flow.job.opts.priority).toBe(1);
    expect(flow.children![0].job.opts.priority).toBeGreaterThan(1);
    await within(acme, () =>
      test.queue.upsertJobScheduler(`${acme.id} ticks`, { every: 50, limit: 3 }, { data: { text: 'tick' } }),
    );
    await Promise.all([...bulk, flow.job].map((job) => done(job)));
    await test.diary.until('completed tick', 3);
    expect(await texts(acme)).toEqual(expect.arrayContaining(['bulk-1', 'bulk-2', 'bulk-3', 'tick']));
    expect(await texts(globex)).toEqual(expect.arrayContaining(['parent', 'child-1', 'child-2']));
    expect(test.diary.about('tick').filter((line) => !line.endsWith(' acme'))).toEqual([]);
  });

  it('refuse an id that another tenant could give, too, and keep apart what has the tenant in it', async () => {
    const data = { text: 'same' };
    const shared = (what: string) =>
      expect.objectContaining({
        code: 'JOB_ID_SHARED',
        message: expect.stringMatching(new RegExp(`^The ${what} "daily" .*"${acme.id} daily"\\.$`)),
      });
    const inAcme: [string, () => Promise<unknown>][] = [
      ['jobId', () => test.queue.add('note', data, { jobId: 'daily' })],
      ['jobId', () => test.queue.addBulk([{ name: 'note', data, opts: { jobId: 'daily' } }])],
      ['jobId', () => test.flows.add({ name: 'note', queueName: 'notes', data, opts: { jobId: 'daily' } })],
      ['deduplication.id', () => test.queue.add('note', data, { deduplication: { id: 'daily' } })],
      [
        "scheduler's id",
        () => test.queue.upsertJobScheduler('daily', { every: 1e6 }, { name: 'note', data }),
      ],
    ];
    for (const [what, work] of inAcme) await expect(within(acme, work)).rejects.toEqual(shared(what));
    const jobs = await Promise.all(
      [acme, globex].map((tenant) =>
        within(tenant, () => test.queue.add('note', data, { jobId: `daily-${tenant.id}` })),
      ),
    );
    await Promise.all(jobs.map((job) => done(job)));
    const free = await test.queue.add('note', { text: 'free' }, { jobId: 'nobody-daily', tenantFree: true });
    expect(free.id).toBe('nobody-daily');
    await done(free).catch(() => undefined);
  });

  it('refuse a job without a tenant, unless it is marked, and run that for nobody', async () => {
    const missing = expect.objectContaining({ code: 'TENANT_REQUIRED' });
    const data = { text: 'whose' };
    await expect(test.queue.add('note', data)).rejects.toEqual(missing);
    await expect(test.queue.addBulk([{ name: 'note', data }])).rejects.toEqual(missing);
    await expect(test.queue.upsertJobScheduler('whose', { every: 1e6 }, { data })).rejects.toEqual(missing);
    await expect(test.flows.add({ name: 'a', queueName: 'notes', data })).rejects.toEqual(missing);
    await expect(test.queue.getJobCounts('waiting', 'delayed', 'prioritized')).resolves.toEqual({
      waiting: 0,
      delayed: 0,
      prioritized: 0,
    });
    const free = await within(acme, () => test.queue.add('note', { text: 'free' }, { tenantFree: true }));
    await done(free);
    await test.diary.until('completed free');
    expect(linesOf('free').filter((line) => !line.endsWith(' nobody'))).toEqual([]);
  });

  it('never run a job that somebody has changed, or put there', async () => {
    await test.queue.pause();
    const changed = {
      data: await add(acme, { text: 'changed data' }, { attempts: 5 }),
      name: await add(acme, { text: 'changed name' }),
      tenant: await add(acme, { text: 'changed tenant' }),
      gone: await add(acme, { text: 'no token' }),
    };
    await edit(changed.data, 'data', (json) => json.replace('changed', 'edited'));
    await edit(changed.name, 'name', () => 'other');
    await edit(changed.tenant, 'opts', (json) => json.replace(acme.id, globex.id));
    await edit(changed.gone, 'opts', (json) => JSON.stringify({ ...JSON.parse(json), tenancy: undefined }));
    await test.queue.resume();
    for (const job of Object.values(changed))
      await expect(done(job)).rejects.toThrow('CARRIED_TOKEN_INVALID');
    const { attemptsMade } = (await test.queue.getJob(changed.data.id!))!;
    expect(attemptsMade).toBe(1);
    await test.diary.until('failed', 4);
    expect(test.diary.about('process edited')).toEqual([]);
    expect(test.diary.about('process changed')).toEqual([]);
  });

  it('hold the jobs of a suspended tenant until it is back', async () => {
    const hooli = await test.create({ slug: 'hooli' });
    await test.app.get(TenantLifecycle).suspend('hooli');
    const job = await within(hooli, () => test.queue.add('note', { text: 'held' }));
    await test.diary.until('active held', 2);
    expect(test.diary.about('process held')).toEqual([]);
    await test.app.get(TenantLifecycle).activate('hooli');
    await expect(done(job)).resolves.toBe('held');
    expect(await texts(hooli)).toEqual(['held']);
    expect((await test.queue.getJob(job.id!))!.attemptsMade).toBe(1);
  });

  it('hold one job of a scheduler while its tenant is suspended, however often that fires', async () => {
    const hooli = await test.create({ slug: 'hooli-2' });
    const id = `${hooli.id} ticks`;
    await within(hooli, () => test.queue.upsertJobScheduler(id, { every: 20 }, { data: { text: 'tock' } }));
    await test.app.get(TenantLifecycle).suspend('hooli-2');
    await test.diary.until('failed tock', 25);
    const own = async (...states: JobType[]) =>
      new Set(
        (await test.queue.getJobs(states)).flatMap(({ id: jobId, repeatJobKey }) =>
          repeatJobKey === id ? [jobId] : [],
        ),
      ).size;
    // The one that is held, the next that fires, and those that came while the states were read one after the other.
    expect(await own('delayed', 'prioritized', 'waiting', 'active')).toBeLessThan(10);
    expect(await own('failed')).toBe(0);
    const ran = test.diary.about('processed tock').length;
    await test.app.get(TenantLifecycle).activate('hooli-2');
    await test.diary.until('processed tock', ran + 3);
    await test.queue.removeJobScheduler(id);
  });

  it('fail the jobs of a tenant that stays suspended for a week', async () => {
    const umbrella = await test.create({ slug: 'umbrella' });
    await test.app.get(TenantLifecycle).suspend('umbrella');
    const job = await within(umbrella, () => test.queue.add('note', { text: 'long' }, { attempts: 5 }));
    await test.diary.until('active long');
    // Since when it is held, as if a week had passed.
    const held = (json: string) => json.replace(/"s":\d+/, `"s":${Date.now() - 7 * 24 * 3_600_000}`);
    while (!(await test.queue.getJob(job.id!))!.delay);
    await edit(job, 'opts', held);
    await expect(done(job)).rejects.toThrow(/^TENANT_NOT_ACTIVE: .*"umbrella".* held for 60\d+ s/);
    await test.diary.until('failed long nobody');
    expect(test.diary.about('process long')).toEqual([]);
    await expect(givenUp(umbrella, job)).resolves.toHaveLength(1);
  });

  it('go on holding them when the clock of this instance is a month ahead', async () => {
    const wayne = await test.create({ slug: 'wayne' });
    await test.app.get(TenantLifecycle).suspend('wayne');
    const job = await within(wayne, () => test.queue.add('note', { text: 'early' }));
    await test.diary.until('active early');
    const now = Date.now.bind(Date);
    const ahead = jest.spyOn(Date, 'now').mockImplementation(() => now() + 30 * 24 * 3_600_000);
    try {
      await test.diary.until('active early', 3);
      await test.app.get(TenantLifecycle).activate('wayne');
      await expect(done(job)).resolves.toBe('early');
    } finally {
      ahead.mockRestore();
    }
  });

  it('remove all that a purged tenant has in the queue, and never run what is put there later', async () => {
    const initech = await test.create({ slug: 'initech' });
    const inInitech = <T>(work: () => T) => within(initech, work);
    await done(await inInitech(() => test.queue.add('note', { text: 'finished' })));
    await test.queue.pause();
    await inInitech(() =>
      test.queue.addBulk(Array.from({ length: 1_100 }, () => ({ name: 'n', data: { text: 'waits' } }))),
    );
    await inInitech(() => test.queue.add('note', { text: 'later' }, { delay: 1e6 }));
    const its = `its ${initech.id}`;
    await inInitech(() => test.queue.upsertJobScheduler(its, { every: 1e6 }, { data: { text: 'tick' } }));
    expect((await test.queue.getJobSchedulers()).map(({ key }) => key)).toContain(its);
    const others = await add(acme, { text: 'of another' });
    await test.app.get(TenantLifecycle).delete('initech');
    await test.app.get(TenantPurge).purge('initech');
    const left = await test.queue.getJobs(['waiting', 'prioritized', 'delayed', 'completed'], 0, 5_000);
    expect(left.filter(({ opts }) => JSON.stringify(opts).includes(initech.id))).toEqual([]);
    expect((await test.queue.getJobSchedulers()).map(({ key }) => key)).not.toContain(its);
    const late = await inInitech(() => test.queue.add('note', { text: 'too late' }));
    await test.queue.resume();
    await expect(done(others)).resolves.toBe('of another');
    await expect(done(late)).rejects.toThrow(
      'TENANT_NOT_FOUND: The tenant of this job is not there any more',
    );
    expect(test.diary.about('process too late')).toEqual([]);
  });

  it('keep the contract of adapters', async () => {
    const enter = async (work: () => Promise<void>) => {
      const text = `work-${randomUUID()}`;
      test.diary.work.set(text, work);
      await done(await test.queue.add('note', { text }));
    };
    expect(await checkTenantAdapter({ app: test.app, enter, isDeferred: true })).toEqual([]);
  });

  it('hold a job by the clock of Redis, not by that of the instance', async () => {
    const tenant = await test.create({ slug: 'ahead' });
    await test.app.get(TenantLifecycle).suspend('ahead');
    const moved = jest.spyOn(Job.prototype, 'moveToDelayed');
    const now = Date.now.bind(Date);
    const month = jest.spyOn(Date, 'now').mockImplementation(() => now() + 30 * 86_400_000);
    try {
      await add(tenant, { text: 'held' });
      while (moved.mock.calls.length === 0) await wait(10);
      expect(moved.mock.calls[0][0]).toBeLessThan(now() + 60_000);
    } finally {
      month.mockRestore();
      moved.mockRestore();
    }
  });

  it('let a listener of the queue’s events work for the tenant of a job', async () => {
    const job = await add(globex, { text: 'told' });
    await done(job);
    const fetched = (await test.queue.getJob(job.id!))!;
    await expect(
      test.app.get(TenantJobs).run(fetched, () => test.app.get(TenantContext).tenant().slug),
    ).resolves.toBe('globex');
    fetched.data = { text: 'edited' };
    await expect(test.app.get(TenantJobs).run(fetched, () => 0)).rejects.toMatchObject({
      problem: 'payload',
    });
  });
});

/** Those that are held for ten minutes, so that none comes back by itself. */
describe('Jobs that are held for a suspended tenant', () => {
  let redis: TestRedis;
  let database: TestDatabase;
  let test: QueueApp;
  let names = 0;

  beforeAll(async () => {
    [redis, database] = await Promise.all([startRedis(), createTestDatabase()]);
    test = await startQueueApp(database, redis.port, { holdMinMs: 600_000 });
  });
  afterAll(async () => {
    await test?.close();
    await redis?.stop();
    await database?.drop();
  });

  async function heldOne(text: string, count = 1): Promise<Tenant> {
    const tenant = await test.create({ slug: `shop-${++names}` });
    await test.app.get(TenantLifecycle).suspend(tenant.id);
    await test.app.get(TenantContext).run(tenant, () => test.queue.add('note', { text }));
    await test.diary.until(`active ${text}`);
    while ((await test.queue.getDelayedCount()) < count)
      await new Promise((resolve) => setImmediate(resolve));
    return tenant;
  }

  it('run when it is activated by whomever, as the change feed tells', async () => {
    const { id } = await heldOne('by hand');
    await database.query(`UPDATE tenancy.tenants SET name = 'still suspended' WHERE id = '${id}'`);
    await database.query(`UPDATE tenancy.tenants SET status = 'active' WHERE id = '${id}'`);
    await test.diary.until('completed by hand');
  });

  it('run when this instance activates it, though it does not know of them, and no others do', async () => {
    const other = await heldOne('of another');
    const { id } = await heldOne('forgotten', 2);
    test.app.get(TenantJobs).held.clear();
    await test.app.get(TenantLifecycle).activate(id);
    await test.diary.until('completed forgotten');
    expect(test.diary.about('completed of another')).toEqual([]);
    await test.app.get(TenantLifecycle).delete(other.id);
    await test.app.get(TenantLifecycle).restore(other.id);
    expect(await test.queue.getDelayedCount()).toBe(1);
    await test.app.get(TenantLifecycle).activate(other.id);
    await test.diary.until('completed of another');
  });
});
