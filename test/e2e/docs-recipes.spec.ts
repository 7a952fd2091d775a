import type { INestApplicationContext } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { type Tenant, TenantContext, TenantLifecycle, TenantProvisioner, TenantPurge } from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { MASTER_KEY } from '../support/sample-app';

const PROVIDERS = {
  TenantCache: 'tenant-cache.ts',
  Buckets: 'bucket.hook.ts',
  BucketHook: 'bucket.hook.ts',
  OutboxJob: 'outbox.job.ts',
  OnceADay: 'once-a-day.ts',
};

describe('docs/recipes.md', () => {
  let examples: Examples;
  let database: TestDatabase;
  let app: INestApplicationContext;
  let acme: Tenant;
  let globex: Tenant;
  // An example's class has whatever methods the document gives it.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  let the: Record<keyof typeof PROVIDERS, any>;

  beforeAll(async () => {
    examples = writeExamples('docs/quick-start.md', 'docs/recipes.md');
    database = await createTestDatabase();
    Object.assign(process.env, { DATABASE_URL: database.url, TENANCY_MASTER_KEY: MASTER_KEY });
    const { AppModule } = await examples.import('app.module.ts');
    const classes = await Promise.all(
      Object.entries(PROVIDERS).map(async ([name, file]) => (await examples.import(file))[name]),
    );
    const testing = await Test.createTestingModule({ imports: [AppModule], providers: classes }).compile();
    app = await testing.createNestApplication({ logger: false }).init();
    the = Object.fromEntries(classes.map((each) => [each.name, app.get(each)])) as typeof the;
    acme = await app.get(TenantProvisioner).create({ slug: 'acme' });
    globex = await app.get(TenantProvisioner).create({ slug: 'globex' });
  });
  afterAll(async () => {
    await app?.close();
    await database.drop();
    examples.remove();
  });

  const inside = <T>(tenant: Tenant, work: () => T): T => app.get(TenantContext).run(tenant, work);

  it('remembers for each tenant what is its own, and no failure', async () => {
    const get = (tenant: Tenant, compute: () => Promise<string>) =>
      inside(tenant, () => the.TenantCache.get('prices', compute));
    await expect(get(acme, () => Promise.reject(new Error('on purpose')))).rejects.toThrow('on purpose');
    await expect(get(acme, () => Promise.resolve('of acme'))).resolves.toBe('of acme');
    await expect(get(globex, () => Promise.resolve('of globex'))).resolves.toBe('of globex');
    await expect(get(acme, () => Promise.resolve('asked again'))).resolves.toBe('of acme');
  });

  it('does a job once a day for each tenant, on two instances at once, and again where it failed', async () => {
    for (const { schemaName } of [acme, globex])
      await database.query(
        `CREATE TABLE ${schemaName}.job_runs (job text, day date, PRIMARY KEY (job, day))`,
      );
    const done: string[] = [];
    let fails = true;
    const work = () => {
      const { slug } = app.get(TenantContext).tenant();
      if (slug === 'globex' && fails) return Promise.reject(new Error('on purpose'));
      done.push(slug);
      return Promise.resolve();
    };
    const run = (day: string) => the.OnceADay.run('bills', day, work);
    const both = () => Promise.allSettled([run('2026-11-25'), run('2026-11-25')]);
    expect((await both()).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(done).toEqual(['acme']);
    fails = false;
    expect((await both()).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    expect(done).toEqual(['acme', 'globex']);
    await run('2026-11-26');
    expect(done).toHaveLength(4);
  });

  it('sends what the transaction has written, and forgets what was sent', async () => {
    for (const { schemaName, slug } of [acme, globex]) {
      await database.query(`CREATE TABLE ${schemaName}.outbox (id int PRIMARY KEY, body text)`);
      await database.query(`INSERT INTO ${schemaName}.outbox VALUES (1, 'first of ${slug}'), (2, 'second')`);
    }
    const sent: string[] = [];
    const send = (slug: string, body: string) => {
      if (slug === 'globex' && body === 'second') return Promise.reject(new Error('on purpose'));
      sent.push(`${slug}: ${body}`);
      return Promise.resolve();
    };
    await expect(the.OutboxJob.run(send)).rejects.toMatchObject({ code: 'TENANTS_FAILED' });
    expect(sent.sort()).toEqual(['acme: first of acme', 'acme: second', 'globex: first of globex']);
    const left = (tenant: Tenant) => database.query(`SELECT body FROM ${tenant.schemaName}.outbox`);
    await expect(left(acme)).resolves.toEqual([]);
    await expect(left(globex)).resolves.toEqual([{ body: 'second' }]);
  });

  it('drops a bucket before the tenant’s schema, and not before', async () => {
    the.Buckets.names.add(acme.id).add(globex.id);
    await app.get(TenantLifecycle).delete('acme');
    expect(the.Buckets.names.has(acme.id)).toBe(true);
    await app.get(TenantPurge).purge('acme');
    expect([...the.Buckets.names]).toEqual([globex.id]);
  });
});
