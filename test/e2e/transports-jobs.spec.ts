import { EventEmitter, once } from 'node:events';
import { setTimeout as timer } from 'node:timers/promises';
import {
  type Tenant,
  TenancyModule,
  TenantConnection,
  TenantContext,
  TenantLifecycle,
  TenantLookup,
  TenantNotActiveError,
  TenantNotFoundError,
} from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { Note, notesOptions } from '../support/notes';
import { startTestApp, type TestApp } from '../support/test-app';

const POOL_SIZE = 2;
const WORKERS = 6;

interface Job {
  readonly tenantId: string;
  readonly text: string;
}

/** A queue in this process: jobs wait as text, several workers take them, a failed job is kept with its error. */
class Queue {
  readonly failed: { job: Job; code: unknown }[] = [];
  readonly #jobs: string[] = [];
  readonly #news = new EventEmitter();
  #unfinished = 0;

  add(job: Job): void {
    this.#unfinished += 1;
    this.#jobs.push(JSON.stringify(job));
    this.#news.emit('job');
  }

  /** Each worker is a loop, in the frame of whoever calls. */
  start(process: (job: Job) => Promise<void>): void {
    this.#news.setMaxListeners(WORKERS);
    for (let i = 0; i < WORKERS; i += 1) void this.#work(process);
  }

  async drained(): Promise<void> {
    while (this.#unfinished > 0) await once(this.#news, 'done');
  }

  async #work(process: (job: Job) => Promise<void>): Promise<never> {
    for (;;) {
      const text = this.#jobs.shift();
      if (text === undefined) {
        await once(this.#news, 'job');
        continue;
      }
      const job = JSON.parse(text) as Job;
      await process(job).catch(({ code }: { code: unknown }) => this.failed.push({ job, code }));
      this.#unfinished -= 1;
      this.#news.emit('done');
    }
  }
}

describe('Jobs and timers', () => {
  let database: TestDatabase;
  let test: TestApp;
  let context: TenantContext;
  let connection: TenantConnection;
  let acme: Tenant;
  let globex: Tenant;

  beforeAll(async () => {
    database = await createTestDatabase();
    const options = notesOptions(database, {
      database: { url: database.url, connectAttempts: 1, poolSize: POOL_SIZE },
    });
    test = await startTestApp({ imports: [TenancyModule.forRoot(options)] });
    context = test.app.get(TenantContext);
    connection = test.app.get(TenantConnection);
    acme = await test.create({ slug: 'acme' });
    globex = await test.create({ slug: 'globex' });
  });
  afterAll(async () => {
    await test.close();
    await database.drop();
  });
  beforeEach(async () => {
    for (const { schemaName } of [acme, globex]) {
      await database.query(`TRUNCATE ${schemaName}.note RESTART IDENTITY`);
    }
  });

  const texts = async ({ schemaName }: Tenant) =>
    (await database.query<{ text: string }>(`SELECT text FROM ${schemaName}.note ORDER BY id`)).map(
      ({ text }) => text,
    );

  /** What docs/transports.md tells workers to do. */
  async function process({ tenantId, text }: Job): Promise<void> {
    const tenant = await test.app.get(TenantLookup).find({ by: 'id', value: tenantId });
    if (!tenant) throw new TenantNotFoundError();
    if (tenant.status !== 'active') throw new TenantNotActiveError(tenant.slug, tenant.status);
    await context.run(tenant, () =>
      connection.transaction(async (manager) => {
        const { id } = await manager.save(Note, { text });
        await manager.update(Note, id, { text: `${text} of ${context.tenant().slug}` });
      }),
    );
  }

  it('run for the tenant that each job names, though one tenant’s request has started the workers', async () => {
    const queue = new Queue();
    context.run(acme, () => queue.start(process));
    for (let i = 0; i < 120; i += 1) {
      const tenant = i % 2 ? acme : globex;
      context.run(tenant, () => queue.add({ tenantId: context.tenant().id, text: `${i}` }));
    }
    await queue.drained();
    expect(queue.failed).toEqual([]);
    for (const [{ slug, ...tenant }, odd] of [
      [acme, 1],
      [globex, 0],
    ] as const) {
      const expected = Array.from({ length: 60 }, (_, i) => `${i * 2 + odd} of ${slug}`);
      expect((await texts({ slug, ...tenant })).sort()).toEqual(expected.sort());
    }
  });

  it('fail for a tenant that is not served any more, and for none', async () => {
    await test.app.get(TenantLifecycle).suspend('globex');
    const queue = new Queue();
    queue.start(process);
    const jobs = [
      [globex.id, 'TENANT_NOT_ACTIVE'],
      ['01890a5d-ac96-774b-bcce-b302099a8059', 'TENANT_NOT_FOUND'],
      [`' OR true --`, 'TENANT_NOT_FOUND'],
      [acme.id, undefined],
    ] as const;
    for (const [tenantId] of jobs) queue.add({ tenantId, text: 'x' });
    await queue.drained();
    await test.app.get(TenantLifecycle).activate('globex');
    const codes = new Map(queue.failed.map(({ job, code }) => [job.tenantId, code]));
    expect(jobs.map(([tenantId]) => codes.get(tenantId))).toEqual(jobs.map(([, code]) => code));
    await expect(texts(acme)).resolves.toEqual(['x of acme']);
    await expect(texts(globex)).resolves.toEqual([]);
  });

  it('fail without a tenant, before anything is sent', async () => {
    const queue = new Queue();
    queue.start(async () => void (await connection.getRepository(Note).save({ text: 'whose?' })));
    queue.add({ tenantId: acme.id, text: 'x' });
    await queue.drained();
    expect(queue.failed).toMatchObject([{ code: 'TENANT_REQUIRED' }]);
  });

  it('visit every tenant from a timer, each on its own rows, while jobs go on', async () => {
    const queue = new Queue();
    queue.start(process);
    for (const tenant of [acme, globex]) {
      for (let i = 0; i < 20; i += 1) queue.add({ tenantId: tenant.id, text: `${i}` });
    }
    const seen: Record<string, string[]> = {};
    const visit = () =>
      context.eachTenant(
        async ({ slug }) => {
          await timer(0);
          const notes = await connection.getRepository(Note).find();
          seen[slug] = [...(seen[slug] ?? []), ...notes.map(({ text }) => text)];
        },
        { concurrency: 2 },
      );
    const tick = new Promise<void>((resolve, reject) => {
      setTimeout(() => void Promise.all([visit(), visit()]).then(() => resolve(), reject), 0);
    });
    await Promise.all([tick, queue.drained()]);
    await visit();
    expect(Object.keys(seen).sort()).toEqual(['acme', 'globex']);
    for (const slug of ['acme', 'globex']) {
      expect(seen[slug].length).toBeGreaterThanOrEqual(20);
      expect(seen[slug].filter((text) => !text.endsWith(`of ${slug}`))).toEqual([]);
    }
  });
});
