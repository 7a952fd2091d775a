import { createPostgresBackend, type Job, setDefaultBackendFactory } from 'bullmq';
import { type Tenant, TenantContext, TenantLifecycle, TenantPurge } from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type NoteJob, type QueueApp, startQueueApp } from '../support/queue-app';

describe('Queues of BullMQ on PostgreSQL', () => {
  let database: TestDatabase;
  let test: QueueApp;
  let acme: Tenant;
  let globex: Tenant;

  beforeAll(async () => {
    database = await createTestDatabase();
    setDefaultBackendFactory(createPostgresBackend as never);
    const connection = { connectionString: database.url, migrate: true };
    test = await startQueueApp(database, connection, { holdMinMs: 100, holdMaxMs: 100 });
    acme = await test.create({ slug: 'acme' });
    globex = await test.create({ slug: 'globex' });
  });
  afterAll(async () => {
    await test?.close();
    setDefaultBackendFactory();
    await database?.drop();
  });

  const within = <T>(tenant: Tenant, work: () => T): T => test.app.get(TenantContext).run(tenant, work);
  const failedReason = async (job: Job) => (await test.queue.getJob(job.id!))!.failedReason;
  const texts = async ({ schemaName }: Tenant) =>
    (await database.query<{ text: string }>(`SELECT text FROM "${schemaName}".note ORDER BY 1`)).map(
      ({ text }) => text,
    );

  it('run each job for its tenant: one by one, in bulk, in flows, of schedulers, and again', async () => {
    // jsonb has an order of keys of its own.
    const data = { text: 'tried', failures: 1, a: { zz: 1, b: [{ y: 1, x: 2 }] } } as NoteJob;
    await within(acme, () => test.queue.add('note', data, { attempts: 2 }));
    await within(globex, () => test.queue.addBulk([{ name: 'note', data: { text: 'bulk' } }]));
    await within(acme, () =>
      test.queue.add('note', { text: 'step-1', then: { text: 'step-2' } }, { attempts: 2 }),
    );
    await within(globex, () =>
      test.flows.add({
        name: 'parent',
        queueName: 'notes',
        data: { text: 'parent' },
        children: [{ name: 'child', queueName: 'notes', data: { text: 'child' } }],
      }),
    );
    await within(acme, () =>
      test.queue.upsertJobScheduler(`${acme.id} ticks`, { every: 50, limit: 2 }, { data: { text: 'tick' } }),
    );
    for (const text of ['tried', 'bulk', 'step-2', 'child', 'parent'])
      await test.diary.until(`completed ${text}`);
    await test.diary.until('completed tick', 2);
    expect([await texts(acme), await texts(globex)]).toEqual([
      ['step-2', 'tick', 'tick', 'tried'],
      ['bulk', 'child', 'parent'],
    ]);
  });

  it('refuse what was changed, hold what is suspended, and empty what is purged', async () => {
    await test.queue.pause();
    const edited = await within(acme, () => test.queue.add('note', { text: 'edited' }));
    await database.query(`UPDATE bullmq.job SET data = '{"text":"other"}' WHERE id = '${edited.id}'`);
    await test.app.get(TenantLifecycle).suspend('globex');
    await within(globex, () => test.queue.add('note', { text: 'held' }));
    await test.queue.resume();
    await test.diary.until('failed other');
    expect(await failedReason(edited)).toMatch('CARRIED_TOKEN_INVALID');
    await test.diary.until('active held', 2);
    expect(test.diary.about('process held')).toEqual([]);
    await test.app.get(TenantLifecycle).activate('globex');
    await test.diary.until('completed held');
    await test.queue.pause();
    await within(globex, () => test.queue.add('note', { text: 'waits' }));
    await test.app.get(TenantLifecycle).delete('globex');
    await test.app.get(TenantPurge).purge('globex');
    const left = await database.query(`SELECT FROM bullmq.job WHERE opts::text LIKE '%${globex.id}%'`);
    expect(left).toEqual([]);
  });
});
