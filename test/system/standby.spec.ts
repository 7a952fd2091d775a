import { Controller, Get, Logger } from '@nestjs/common';
import { getDataSourceToken } from '@nestjs/typeorm';
import { Client } from 'pg';
import type { DataSource, QueryRunner, Repository } from 'typeorm';
import {
  InjectTenantRepository,
  PoolStatistics,
  TENANT_DATA_SOURCE,
  TenancyModule,
  TenantContext,
  TenantProvisioner,
  type Tenant,
} from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { Note, notesOptions } from '../support/notes';
import { startPgBouncer } from '../support/system/pgbouncer';
import { startPostgres15, type TestServer } from '../support/system/postgres-15';
import { startStandby } from '../support/system/standby';
import { startTestApp, type TestApp } from '../support/test-app';

interface Read {
  readonly text: string;
  readonly onStandby: boolean;
}

@Controller()
class NotesController {
  constructor(@InjectTenantRepository(Note) private readonly notes: Repository<Note>) {}

  @Get('read')
  read(): Promise<Read[]> {
    return this.notes
      .createQueryBuilder('note')
      .select('note.text', 'text')
      .addSelect('pg_is_in_recovery()', 'onStandby')
      .getRawMany();
  }

  @Get('write')
  async write(): Promise<unknown> {
    return (await this.notes.insert({ text: 'later' })).identifiers;
  }
}

/** It is named twice, directly and behind a pooler, and each read goes one of these ways. */
describe('A hot standby that tenants’ reads go to', () => {
  const closed: (() => Promise<unknown> | undefined)[] = [];
  let home: TestDatabase;
  let primary: TestServer;
  let standby: TestServer;
  let pooler: TestServer;
  let app: TestApp;
  let tenants: Tenant[];

  const ask = async (url: string, text: string): Promise<void> => {
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query(text).finally(() => client.end());
  };
  const as = <T>(tenant: Tenant, work: () => Promise<T>): Promise<T> =>
    app.app.get(TenantContext).run(tenant, work);
  const onStandby = async <T>(tenant: Tenant, work: (runner: QueryRunner) => Promise<T>): Promise<T> =>
    as(tenant, async () => {
      const runner = app.app
        .get<DataSource>(getDataSourceToken(TENANT_DATA_SOURCE))
        .createQueryRunner('slave');
      try {
        return await work(runner);
      } finally {
        await runner.release();
      }
    });

  beforeAll(async () => {
    home = await createTestDatabase();
    closed.push(() => home.drop());
    primary = await startPostgres15();
    closed.push(() => primary.stop());
    standby = await startStandby(primary);
    closed.push(() => standby.stop());
    await ask(primary.url, "ALTER ROLE postgres SET search_path = ''");
    pooler = await startPgBouncer(standby.url, { default_pool_size: 1 });
    closed.push(() => pooler.stop().catch(() => undefined));
    app = await startTestApp({
      imports: [
        TenancyModule.forRoot(
          notesOptions(home, {
            servers: { eu: { url: primary.url, replicas: [standby.url, pooler.url], poolSize: 2 } },
          }),
        ),
        TenancyModule.forFeature([Note]),
      ],
      controllers: [NotesController],
    });
    closed.push(() => app.close());
    tenants = [];
    for (const slug of ['acme', 'globex']) {
      const tenant = await app.app.get(TenantProvisioner).create({ slug }, { place: { server: 'eu' } });
      tenants.push(tenant);
      await ask(
        primary.url,
        `SET search_path = ${tenant.schemaName};
         INSERT INTO note (text) VALUES ('${slug}');
         CREATE FUNCTION leave() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
           EXECUTE 'DECLARE held CURSOR ' || 'WITH' || ' HOLD FOR SELECT text FROM note';
         END $$`,
      );
    }
    // What the primary has by now, the standby has replayed when it knows the last tenant's function.
    const client = new Client({ connectionString: standby.url });
    await client.connect();
    const seen = () =>
      client.query<{ there: boolean }>('SELECT to_regproc($1) IS NOT NULL AS there', [
        `${tenants[1].schemaName}.leave`,
      ]);
    while (!(await seen()).rows[0].there);
    await client.end();
  });
  afterAll(async () => {
    for (const close of closed.reverse()) await close();
  });

  it('answers each tenant’s reads, many at once, with that tenant’s rows', async () => {
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) => app.get('/read', tenants[i % 2].slug)),
    );
    for (const [i, { body }] of answers.entries())
      expect(body).toEqual([{ text: tenants[i % 2].slug, onStandby: true }]);
    expect(app.app.get(PoolStatistics).readByServer().get('eu')).toMatchObject({ destroyed: {} });
  });

  it('is emptied of what a function left there, for a statement and for a transaction', async () => {
    const [acme, globex] = tenants;
    // Often enough for one to come to what the other left.
    for (const begin of [undefined, 'BEGIN', undefined, 'BEGIN', undefined, 'BEGIN', undefined, 'BEGIN']) {
      await onStandby(acme, (runner) => runner.query('SELECT leave()'));
      await onStandby(globex, async (runner) => {
        if (begin) await runner.query(begin);
        await expect(runner.query('FETCH ALL FROM held')).rejects.toMatchObject({ code: '34000' });
        if (begin) await runner.query('ROLLBACK');
        await expect(runner.query('SELECT text FROM note')).resolves.toEqual([{ text: 'globex' }]);
      });
    }
  });

  it('takes no writes', async () => {
    await onStandby(tenants[0], async (runner) => {
      await expect(runner.query("INSERT INTO note (text) VALUES ('astray')")).rejects.toMatchObject({
        code: '25006',
      });
    });
    await expect(app.get('/write', 'acme')).resolves.toMatchObject({ status: 200 });
  });

  it('has no rows of a tenant that it has not heard of yet', async () => {
    await ask(standby.url, 'SELECT pg_wal_replay_pause()');
    await app.app.get(TenantProvisioner).create({ slug: 'initech' }, { place: { server: 'eu' } });
    await expect(app.get('/read', 'initech')).resolves.toMatchObject({
      status: 503,
      body: { code: 'TENANT_SCHEMA_MISSING' },
    });
    await ask(standby.url, 'SELECT pg_wal_replay_resume()');
    while ((await app.get('/read', 'initech')).status !== 200);
  });

  it('is no replica any more when it is promoted: it answers what it was asked, and then the log says so', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn');
    const reading = Array.from({ length: 100 }, (_, i) => app.get('/read', tenants[i % 2].slug));
    await ask(standby.url, 'SELECT pg_promote()');
    for (const [i, { status, body }] of (await Promise.all(reading)).entries()) {
      expect(status).toBe(200);
      expect((body as Read[])[0].text).toBe(tenants[i % 2].slug);
    }
    // A pooler does not tell its clients.
    await pooler.stop();
    const read = () => app.get('/read', 'acme');
    let answer = await read();
    // Each session may answer once more.
    for (let i = 0; i < 20 && answer.status === 200; i++) answer = await read();
    expect(answer).toMatchObject({ status: 503, body: { code: 'SERVER_MISMATCH' } });
    expect(warn.mock.calls.join()).toContain('it takes writes of its own');
    await expect(app.get('/write', 'acme')).resolves.toMatchObject({ status: 200 });
  });
});
