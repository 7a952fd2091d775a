import type { MigrationInterface, QueryRunner } from 'typeorm';
import { TenancyModule } from '../../lib';
import { TenancyAdminModule } from '../../lib/admin';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { CreateNotes1700000000000, notesOptions } from '../support/notes';
import { ANY_ADAPTER, MASTER_KEY } from '../support/sample-app';
import { startTestApp, type TestApp } from '../support/test-app';

class AddPlace1700000001000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE note ADD COLUMN place text');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE note DROP COLUMN place');
  }
}

const OLD = [CreateNotes1700000000000];
const NEW = [...OLD, AddPlace1700000001000];

describe.each(ANY_ADAPTER)('The admin API, of a fleet’s migrations on %s', (_platform, adapter) => {
  let database: TestDatabase;
  let running: TestApp;

  const start = (migrations: typeof OLD) =>
    startTestApp(
      {
        imports: [
          TenancyModule.forRoot(notesOptions(database, { migrations })),
          TenancyAdminModule.forRoot({ masterKey: MASTER_KEY }),
        ],
      },
      { adapter: adapter() },
    );

  beforeAll(async () => {
    database = await createTestDatabase();
    const old = await start(OLD);
    for (let i = 0; i < 3; i++) await old.create({ slug: `tenant-${i}` });
    await old.close();
    running = await start(NEW);
  });
  afterAll(async () => {
    await running?.close();
    await database?.drop();
  });

  async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const response = await fetch(`${running.url}/admin/${path}`, {
      method,
      headers: {
        'x-master-key': MASTER_KEY,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    return { status: response.status, body: (await response.json()) as any };
  }

  /** Its answer once it works no more; it is asked again and again, as people do. */
  async function outcome(id: string) {
    for (;;) {
      const { body } = await call('GET', `migrations/${id}`);
      if (body.state !== 'running') return body;
    }
  }

  it('begins a run once, however often it is asked with one key, and tells how it ended', async () => {
    const body = { canary: ['tenant-2'], percents: [50], concurrency: 2 };
    const headers = { 'idempotency-key': 'deploy-1' };
    const begun = await call('POST', 'migrations', body, headers);
    expect(begun).toEqual({ status: 202, body: { id: expect.any(String), state: 'running' } });
    expect(await call('POST', 'migrations', body, headers)).toEqual(begun);
    expect(await outcome(begun.body.id)).toMatchObject({
      id: begun.body.id,
      direction: 'up',
      state: 'done',
      migrations: OLD.map(({ name }) => name).concat('AddPlace1700000001000'),
      report: { done: 3, failed: [], notReached: 0 },
      finishedAt: expect.any(String),
    });
    await expect(database.query('SELECT FROM tenancy.migration_runs')).resolves.toHaveLength(1);
    expect((await call('GET', 'tenants/tenant-0')).body.schemaVersion).toBe('AddPlace1700000001000');
  });

  it('says when there is nothing to do', async () => {
    expect(await call('POST', 'migrations')).toEqual({ status: 202, body: { id: null, state: 'done' } });
  });

  it('takes the last migration back', async () => {
    const { body } = await call('POST', 'migrations', { direction: 'down' });
    expect(await outcome(body.id)).toMatchObject({ direction: 'down', state: 'done', report: { done: 3 } });
    expect((await call('GET', 'tenants/tenant-0')).body.schemaVersion).toBe('CreateNotes1700000000000');
  });

  it('says who works already', async () => {
    await database.query(
      `INSERT INTO tenancy.migration_runs (id, direction, state, holder, migrations, lease_until)
       VALUES (gen_random_uuid(), 'up', 'running', 'another host', '[]', now() + interval '1 h')`,
    );
    expect(await call('POST', 'migrations')).toMatchObject({
      status: 409,
      body: { code: 'MIGRATION_RUN_ACTIVE' },
    });
    await database.query(`DELETE FROM tenancy.migration_runs WHERE holder = 'another host'`);
  });

  it('tells in words how tenants differ from the template', async () => {
    const [{ schema_name: schema }] = await database.query<{ schema_name: string }>(
      `SELECT schema_name FROM tenancy.tenants WHERE slug = 'tenant-1'`,
    );
    await database.query(`ALTER TABLE ${schema}.note ALTER text DROP NOT NULL`);
    const { status, body } = await call('GET', 'drift');
    expect([status, body]).toMatchObject([200, { checked: 3, drifted: 1, tenants: [{ slug: 'tenant-1' }] }]);
    expect(body.tenants[0].differences).toMatchObject([
      { sentences: ['The column note.text may be NULL, and in the template it may not.'], isSafe: true },
    ]);
    expect(await call('GET', 'drift?tenant=tenant-0')).toMatchObject({ body: { checked: 1, drifted: 0 } });
    expect(await call('GET', 'drift?limit=0')).toMatchObject({ body: { drifted: 1, tenants: [] } });
    expect(await call('GET', 'drift?tenant=nobody')).toMatchObject({
      status: 404,
      body: { code: 'TENANT_NOT_FOUND' },
    });
  });

  it.each([
    [{ direction: 'sideways' }, 'direction'],
    [{ concurrency: 0 }, 'concurrency'],
    [{ concurrency: 1e6 }, 'concurrency'],
    [{ percents: [50, 20] }, 'percents'],
    [{ percents: 'all' }, 'percents'],
    [{ canary: {} }, 'canary'],
    [{ canary: [1] }, 'canary'],
    [{ lockTimeoutMs: '1' }, 'lockTimeoutMs'],
    [{ onBegin: 'x' }, 'onBegin'],
  ])('refuses %j', async (body, field) => {
    expect(await call('POST', 'migrations', body)).toMatchObject({
      status: 400,
      body: {
        code: 'VALIDATION_FAILED',
        errors: expect.arrayContaining([expect.objectContaining({ field })]),
      },
    });
  });

  it.each(['drift?limit=-1', 'drift?limit=1001', 'drift?repair=true'])('refuses GET %s', async (path) => {
    expect(await call('GET', path)).toMatchObject({ status: 400, body: { code: 'VALIDATION_FAILED' } });
  });

  it.each(['no-uuid', '00000000-0000-7000-8000-000000000000', "'; DROP SCHEMA tenancy; --"])(
    'knows no run %s',
    async (id) => {
      expect(await call('GET', `migrations/${encodeURIComponent(id)}`)).toMatchObject({
        status: 404,
        body: { code: 'MIGRATION_RUN_NOT_FOUND' },
      });
    },
  );

  it('asks for the master key', async () => {
    for (const [method, path] of [
      ['POST', 'migrations'],
      ['GET', 'drift'],
    ]) {
      expect(await call(method, path, undefined, { 'x-master-key': 'wrong' })).toMatchObject({ status: 401 });
    }
  });
});
