import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  FleetMigrator,
  type FleetReport,
  type FleetMigrationOptions,
  TenantConnection,
  TenantContext,
  TenantLifecycle,
  TenantProvisioner,
  type Tenant,
} from '../../../lib';
import { SpareRefill } from '../../../lib/provisioning/spares/spare-refill';
import { CreateNotes1700000000000 } from '../../support/notes';
import type { TestApp } from '../../support/test-app';
import { ownDatabase } from '../provisioning/app';

class AddPlace1700000001000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE note ADD COLUMN place text DEFAULT 'here'`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE note DROP COLUMN place');
  }
}

/** Fails where a note says so, after it has changed something. */
class AddLength1700000002000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE note ADD COLUMN length integer');
    await queryRunner.query('UPDATE note SET length = 10 / (char_length(text) - 3)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE note DROP COLUMN length');
  }
}

/** A constraint that is looked at when the transaction ends. */
class CheckLater1700000003000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DO $$ BEGIN
      CREATE FUNCTION check_note() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN IF NEW.text = ''refused'' THEN RAISE ''no note may say this''; END IF; RETURN NULL; END';
      CREATE CONSTRAINT TRIGGER check_later AFTER UPDATE ON note DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION check_note();
      UPDATE note SET text = text;
    END $$`);
  }

  async down(): Promise<void> {}
}

/** Reads rows of strangers, and puts what it finds into its errors. */
class ReadFile1700000002000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const [note] = (await queryRunner.query('SELECT text FROM note')) as { text: string }[];
    if (note) throw new Error(`line 1: \0 and \ud83d`);
  }

  async down(): Promise<void> {}
}

class Outside1700000002500 implements MigrationInterface {
  readonly transaction = false;

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE INDEX CONCURRENTLY note_text ON note (text)');
  }

  async down(): Promise<void> {}
}

const OLD = [CreateNotes1700000000000];
const NEW = [...OLD, AddPlace1700000001000];
const RISKY = [...NEW, AddLength1700000002000];

const own = ownDatabase();
const { database } = own;

/** An instance of one version of the application. */
const start = (migrations: typeof OLD): Promise<TestApp> => own.start({ migrations });

async function makeTenants({ create }: TestApp, count: number): Promise<Tenant[]> {
  const tenants: Tenant[] = [];
  for (let i = 0; i < count; i++) tenants.push(await create({ slug: `tenant-${i}` }));
  return tenants;
}

const up = ({ app }: TestApp, options?: FleetMigrationOptions): Promise<FleetReport> =>
  app.get(FleetMigrator).up(options);

/** Columns of each tenant's table, by slug. */
async function columns({ app }: TestApp, tenants: readonly Tenant[]): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const tenant of tenants) {
    const [{ count }] = await app
      .get(TenantContext)
      .run(tenant, () =>
        app
          .get(TenantConnection)
          .query<{ count: number }[]>(
            `SELECT count(*)::int AS count FROM pg_attribute WHERE attrelid = 'note'::regclass AND attnum > 0 AND NOT attisdropped`,
          ),
      );
    found[tenant.slug] = count;
  }
  return found;
}

const insertNote = ({ app }: TestApp, tenant: Tenant, text: string) =>
  app
    .get(TenantContext)
    .run(tenant, () => app.get(TenantConnection).query('INSERT INTO note (text) VALUES ($1)', [text]));

const ledger = (state: string) =>
  database.query<{ name: string; tenant_id: string; error: string; statement: string }>(
    `SELECT name, tenant_id, error, statement FROM tenancy.tenant_migrations WHERE state = '${state}' ORDER BY tenant_id, name`,
  );

describe('A fleet', () => {
  it('is brought to the version of the code, whatever the status of its tenants', async () => {
    const old = await start(OLD);
    const tenants = await makeTenants(old, 5);
    await old.app.get(TenantLifecycle).suspend('tenant-1');
    await old.app.get(TenantLifecycle).delete('tenant-2');
    const app = await start(NEW);
    await expect(up(app)).resolves.toMatchObject({
      state: 'done',
      done: 5,
      skipped: 0,
      failed: [],
      notReached: 0,
    });
    expect(Object.values(await columns(app, tenants))).toEqual([3, 3, 3, 3, 3]);
  });

  it('that has nothing to do is told so, and no run is recorded', async () => {
    const app = await start(OLD);
    await makeTenants(app, 3);
    await expect(up(app)).resolves.toMatchObject({
      runId: null,
      state: 'done',
      done: 0,
      migrations: [OLD[0].name],
    });
    await expect(database.query('SELECT FROM tenancy.migration_runs')).resolves.toEqual([]);
  });

  it('gets new tenants at the version of the template, which run nothing again', async () => {
    await makeTenants(await start(OLD), 1);
    const app = await start(NEW);
    await app.create({ slug: 'new' });
    await app.app.get(TenantProvisioner).clone('new', 'copy-of-new');
    await app.app.get(TenantProvisioner).clone('tenant-0', 'copy-of-old');
    await expect(up(app)).resolves.toMatchObject({ done: 2, skipped: 0, failed: [] });
  });

  it('keeps nothing of a migration that fails, tells where and why, and goes on where it stopped', async () => {
    const old = await start(OLD);
    const tenants = await makeTenants(old, 4);
    await insertNote(old, tenants[1], 'abc');
    const app = await start(RISKY);
    const report = await up(app, { concurrency: 1 });
    expect(report).toMatchObject({ state: 'halted', done: 1, notReached: 2 });
    expect(report.failed).toEqual([
      {
        tenantId: tenants[1].id,
        slug: 'tenant-1',
        migration: 'AddLength1700000002000',
        message: 'division by zero',
        statement: 'UPDATE note SET length = 10 / (char_length(text) - 3)',
      },
    ]);
    expect(await columns(app, tenants)).toEqual({
      'tenant-0': 4,
      'tenant-1': 3,
      'tenant-2': 2,
      'tenant-3': 2,
    });
    expect(await ledger('failed')).toMatchObject([{ tenant_id: tenants[1].id, error: 'division by zero' }]);

    await app.app
      .get(TenantContext)
      .run(tenants[1], () => app.app.get(TenantConnection).query('DELETE FROM note'));
    await expect(up(app)).resolves.toMatchObject({ state: 'done', done: 3, notReached: 0 });
    expect(await ledger('failed')).toEqual([]);
  });

  it('ends a run, and tells of it, whatever a migration throws', async () => {
    const old = await start(OLD);
    const tenants = await makeTenants(old, 3);
    await insertNote(old, tenants[1], 'cut');
    const app = await start([...OLD, ReadFile1700000002000]);
    const report = await up(app, { concurrency: 1, maxFailures: 10 });
    expect(report).toMatchObject({
      state: 'failed',
      done: 2,
      failed: [{ message: 'line 1: \0 and \ud83d' }],
    });
    const kept = 'line 1: \uFFFD and \uFFFD';
    expect(await ledger('failed')).toMatchObject([{ error: kept }]);
    const [run] = await database.query<{ state: string; report: FleetReport }>(
      'SELECT state, report FROM tenancy.migration_runs ORDER BY started_at DESC LIMIT 1',
    );
    expect(run.state).toBe('failed');
    expect(run.report.failed[0].message).toBe(kept);
  });

  it('begins no other tenant when one fails at its very end', async () => {
    const old = await start(OLD);
    const tenants = await makeTenants(old, 4);
    await insertNote(old, tenants[1], 'refused');
    const app = await start([...OLD, CheckLater1700000003000]);
    const report = await up(app, { concurrency: 1 });
    expect(report).toMatchObject({ state: 'halted', done: 1, failed: [{ slug: 'tenant-1' }], notReached: 2 });
    expect(report.failed[0].message).toContain('no note may say this');
    const goesOn = await up(app, { concurrency: 1, maxFailures: 1 });
    expect(goesOn).toMatchObject({ state: 'failed', done: 2, failed: [{ slug: 'tenant-1' }], notReached: 0 });
    await expect(ledger('done')).resolves.toHaveLength(4 * 1 + 3);
  });

  it('begins no other tenant either whose first migration runs outside of a transaction', async () => {
    const old = await start(OLD);
    const tenants = await makeTenants(old, 2);
    await insertNote(old, tenants[0], 'refused');
    const app = await start([...OLD, Outside1700000002500, CheckLater1700000003000]);
    await database.query(
      `INSERT INTO tenancy.tenant_migrations (tenant_id, name, timestamp, state)
       VALUES ('${tenants[0].id}', 'Outside1700000002500', 1700000002500, 'done')`,
    );
    const report = await up(app, { concurrency: 1 });
    expect(report).toMatchObject({ state: 'halted', done: 0, failed: [{ slug: 'tenant-0' }], notReached: 1 });
    const done = await ledger('done');
    expect(done.filter(({ tenant_id }) => tenant_id === tenants[1].id)).toHaveLength(1);
  });

  it('goes on past failures as far as maxFailures allows', async () => {
    const old = await start(OLD);
    const tenants = await makeTenants(old, 6);
    for (const i of [1, 3]) await insertNote(old, tenants[i], 'abc');
    const app = await start(RISKY);
    await expect(up(app, { maxFailures: 2 })).resolves.toMatchObject({
      state: 'failed',
      done: 4,
      notReached: 0,
    });
  });

  it('is asked between waves, and stops when the answer is no', async () => {
    const old = await start(OLD);
    await makeTenants(old, 10);
    const app = await start(NEW);
    const waves: [string, number][] = [];
    const afterWave = (wave: string, { done }: { done: number }) => {
      waves.push([wave, done]);
      if (wave === '50 %') throw new Error('too slow');
    };
    const options = { canary: ['tenant-7'], percents: [20, 50, 80], afterWave, concurrency: 3 };
    await expect(up(app, options)).resolves.toMatchObject({ state: 'halted', done: 5, notReached: 5 });
    expect(waves).toEqual([
      ['canary', 1],
      ['20 %', 2],
      ['50 %', 5],
    ]);
    const [first] = await database.query<{ slug: string }>(
      `SELECT slug FROM tenancy.tenant_migrations m JOIN tenancy.tenants t ON t.id = m.tenant_id
       WHERE m.name LIKE 'AddPlace%' ORDER BY m.at LIMIT 1`,
    );
    expect(first.slug).toBe('tenant-7');
  });

  it('is migrated by one run at a time: a second one says who has it, or waits', async () => {
    const old = await start(OLD);
    await makeTenants(old, 3);
    const [one, two] = [await start(NEW), await start(NEW)];
    let second: Promise<unknown> | undefined;
    const first = up(one, {
      canary: 1,
      afterWave: async () => {
        await expect(up(two)).rejects.toMatchObject({ code: 'MIGRATION_RUN_ACTIVE', statusCode: 409 });
        second = up(two, { wait: true });
      },
    });
    await expect(first).resolves.toMatchObject({ state: 'done', done: 3 });
    await expect(second).resolves.toMatchObject({ state: 'done', done: 0, skipped: 0 });
  });

  it('whose application closes meanwhile has tenants under way finished, and the rest left to the next run', async () => {
    const old = await start(OLD);
    const tenants = await makeTenants(old, 5);
    const closing = await start(NEW);
    let closed: Promise<void> | undefined;
    const report = await up(closing, {
      concurrency: 1,
      onProgress: (finished) => {
        if (finished === 2) closed = closing.app.close();
      },
    });
    await closed;
    const done = 5 - report.notReached;
    expect(report).toMatchObject({
      state: 'halted',
      done,
      failed: [],
      halted: expect.stringContaining('the application is closing'),
    });
    // One is under way, and another may begin before Nest has come to the migrator.
    expect([2, 3, 4]).toContain(done);
    const [{ state }] = await database.query<{ state: string }>('SELECT state FROM tenancy.migration_runs');
    expect(state).toBe('halted');
    const next = await start(NEW);
    await expect(up(next)).resolves.toMatchObject({ state: 'done', done: 5 - done });
    expect(Object.values(await columns(next, tenants))).toEqual([3, 3, 3, 3, 3]);
  });

  it('is taken over from a run whose process died', async () => {
    const old = await start(OLD);
    await makeTenants(old, 2);
    const app = await start(NEW);
    await database.query(
      `INSERT INTO tenancy.migration_runs (id, direction, state, holder, migrations, lease_until)
       VALUES (gen_random_uuid(), 'up', 'running', 'a dead one', '[]', now() - interval '1 s')`,
    );
    await expect(up(app)).resolves.toMatchObject({ state: 'done', done: 2 });
    await expect(
      database.query('SELECT state FROM tenancy.migration_runs ORDER BY started_at'),
    ).resolves.toEqual([{ state: 'abandoned' }, { state: 'done' }]);
  });

  it('goes on when a tenant’s table is locked too long, which is told', async () => {
    const old = await start(OLD);
    const tenants = await makeTenants(old, 3);
    const app = await start(NEW);
    const held = await app.app.get(TenantContext).run(tenants[1], async () => {
      const runner = app.app.get(TenantConnection).manager.connection.createQueryRunner();
      await runner.startTransaction();
      await runner.query('LOCK TABLE note');
      return runner;
    });
    const report = await up(app, { lockTimeoutMs: 50, retries: 1, maxFailures: 1 });
    expect(report).toMatchObject({ state: 'failed', done: 2, failed: [{ slug: 'tenant-1' }] });
    expect(report.failed[0].message).toContain('lock timeout');
    await app.app.get(TenantContext).run(tenants[1], () => held.rollbackTransaction());
    await held.release();
    await expect(up(app)).resolves.toMatchObject({ state: 'done', done: 1 });
  });

  it('tells of a tenant whose schema is gone, and does not touch another one', async () => {
    const old = await start(OLD);
    const tenants = await makeTenants(old, 2);
    await database.query(`DROP SCHEMA ${tenants[0].schemaName} CASCADE`);
    // What a migration would work on when its own table is not there.
    await database.query('CREATE SCHEMA shared; CREATE TABLE shared.note (id int)');
    const app = await own.start({ migrations: NEW, sharedSchemas: ['shared'] });
    await expect(up(app, { maxFailures: 1 })).resolves.toMatchObject({
      state: 'failed',
      done: 1,
      failed: [
        {
          slug: 'tenant-0',
          message: expect.stringMatching(/^The schema "t_\w+" of tenant "tenant-0" is gone/),
        },
      ],
    });
  });

  it('goes on with what is left after the third of ten has failed', async () => {
    const old = await start(OLD);
    const tenants = await makeTenants(old, 10);
    await insertNote(old, tenants[2], 'abc');
    const app = await start(RISKY);
    await expect(up(app, { concurrency: 1 })).resolves.toMatchObject({
      state: 'halted',
      done: 2,
      failed: [{ slug: 'tenant-2' }],
      notReached: 7,
    });
    await database.query(`DELETE FROM ${tenants[2].schemaName}.note`);
    await expect(up(app)).resolves.toMatchObject({ state: 'done', done: 8, skipped: 0 });
  });

  it.each([
    ['is the victim of a deadlock', `RAISE deadlock_detected`],
    ['loses its connection', `PERFORM pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid())`],
  ])('tries a tenant again that %s, from its beginning', async (_what, statement) => {
    const old = await start(OLD);
    const tenants = await makeTenants(old, 3);
    // A sequence counts attempts whatever becomes of their transactions.
    await database.query(`
      CREATE SEQUENCE public.attempts;
      CREATE FUNCTION public.once() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
        IF pg_catalog.current_schema() = '${tenants[1].schemaName}' AND pg_catalog.nextval('public.attempts') = 1 THEN
          ${statement};
        END IF; END $$;
      CREATE EVENT TRIGGER once ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION public.once();`);
    const app = await start(NEW);
    await expect(up(app)).resolves.toMatchObject({ state: 'done', done: 3, failed: [] });
    await expect(database.query('SELECT last_value::int AS n FROM public.attempts')).resolves.toEqual([
      { n: 2 },
    ]);
    expect(await columns(app, tenants)).toEqual({ 'tenant-0': 3, 'tenant-1': 3, 'tenant-2': 3 });
    await database.query('DROP EVENT TRIGGER once');
  });

  it('has its spares at the version of the code, too', async () => {
    const old = await own.start({ migrations: OLD, spares: { count: 2 } });
    await makeTenants(old, 1);
    await old.app.get(SpareRefill).refill();
    const app = await own.start({ migrations: NEW, spares: { count: 2 } });
    await expect(up(app)).resolves.toMatchObject({ state: 'done', done: 1 });
    const spares = await database.query<{ columns: number }>(
      `SELECT (SELECT count(*)::int FROM pg_attribute WHERE attrelid = (schema_name || '.note')::regclass
         AND attnum > 0 AND NOT attisdropped) AS columns FROM tenancy.spares`,
    );
    expect(spares).toEqual([{ columns: 3 }, { columns: 3 }]);
  });

  it('serves requests meanwhile, on either side of the change', async () => {
    const old = await start(OLD);
    const tenants = await makeTenants(old, 8);
    const app = await start(NEW);
    let running = true;
    const requests = (async () => {
      for (let i = 0; running; i++) await insertNote(app, tenants[i % 8], `note ${i}`);
    })();
    await expect(up(app, { concurrency: 2 })).resolves.toMatchObject({ done: 8, failed: [] });
    running = false;
    await requests;
  });

  it('takes the last migration back, from tenants and then from the template', async () => {
    const app = await start(NEW);
    const tenants = await makeTenants(app, 3);
    const down = () => app.app.get(FleetMigrator).down();
    await expect(down()).resolves.toMatchObject({
      state: 'done',
      done: 3,
      template: ['AddPlace1700000001000'],
    });
    expect(Object.values(await columns(app, tenants))).toEqual([2, 2, 2]);
    const later = await app.create({ slug: 'later' });
    expect(await columns(app, [later])).toEqual({ later: 2 });
    await expect(up(app)).resolves.toMatchObject({ state: 'done', done: 4 });
    expect(Object.values(await columns(app, [...tenants, later]))).toEqual([3, 3, 3, 3]);
  });

  it('is told of a migration that was edited after it ran, and of one that the code does not know', async () => {
    await start(NEW);
    const edited = {
      [OLD[0].name]: class extends OLD[0] {
        override async up() {}
      },
    }[OLD[0].name];
    Object.defineProperty(edited, 'name', { value: OLD[0].name });
    const { warnings } = await up(await start([edited]));
    expect(warnings).toEqual([
      'CreateNotes1700000000000 was edited after it ran. Tenants keep what it did then: write another migration, or confirm that you know: tenancy migrate acknowledge CreateNotes1700000000000',
      'AddPlace1700000001000 has run, but the code does not have it: it was removed, or another instance runs a newer version of the application.',
    ]);
    const { app } = await start([edited]);
    await expect(app.get(FleetMigrator).acknowledge(OLD[0].name)).resolves.toBe(true);
    await expect(app.get(FleetMigrator).acknowledge(OLD[0].name)).resolves.toBe(false);
    await expect(app.get(FleetMigrator).status()).resolves.toMatchObject({
      warnings: [expect.stringContaining('the code does not have it')],
    });
    await expect(app.get(FleetMigrator).acknowledge('Nothing1700000000000')).rejects.toMatchObject({
      code: 'UNKNOWN_MIGRATION',
    });
    await expect(up(await start(NEW))).resolves.toMatchObject({
      warnings: [expect.stringContaining('was edited after it ran')],
    });
  });

  it('takes nothing back that the code does not know', async () => {
    await start(NEW);
    const old = await start(OLD);
    await expect(old.app.get(FleetMigrator).down()).rejects.toMatchObject({
      code: 'NOTHING_TO_REVERT',
      message: 'No migration can be reverted: the last one, AddPlace1700000001000, is not in the code.',
    });
  });

  it('reverts the template only when no tenant has the migration any more', async () => {
    const app = await start(RISKY);
    const tenants = await makeTenants(app, 3);
    await database.query(`ALTER TABLE ${tenants[1].schemaName}.note DROP COLUMN length`);
    const report = await app.app.get(FleetMigrator).down({ maxFailures: 1 });
    expect(report).toMatchObject({ state: 'failed', done: 2, failed: [{ slug: 'tenant-1' }], template: [] });
    await expect(
      database.query(`SELECT FROM tenancy.template_migrations WHERE name LIKE 'AddLength%'`),
    ).resolves.toHaveLength(1);
  });

  it.each([
    [{ concurrency: 0 }, /concurrency must be an integer from 1 to 1000, got 0/],
    [{ concurrency: 1e9 }, /concurrency must be an integer from 1 to 1000, got 1000000000/],
    [{ maxFailures: -1 }, /maxFailures must be an integer from 0/],
    [{ lockTimeoutMs: 1.5 }, /lockTimeoutMs/],
    [{ percents: [50, 20] }, /percents must ascend/],
    [{ canary: -1 }, /canary/],
  ])('refuses %j before anything happens', async (options, message) => {
    const app = await start(OLD);
    await makeTenants(app, 1);
    await expect(up(app, options)).rejects.toThrow(message);
    await expect(database.query('SELECT FROM tenancy.migration_runs')).resolves.toEqual([]);
  });
});
