import { Client } from 'pg';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { PoolStatistics, type TenancyOptions } from '../../../lib';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { CreateNotes1700000000000 } from '../../support/notes';
import { type ProvisioningApp, schemasOf, startAppOn, startProvisioningApp } from './app';

describe('creating a tenant', () => {
  let running: ProvisioningApp;

  beforeAll(async () => {
    running = await startProvisioningApp();
  });
  afterAll(() => running.close());

  /** Runs PL/pgSQL whenever a table is made, in connections opened from now on. */
  async function whenTablesAreMade(body: string, settings = ''): Promise<() => Promise<unknown>> {
    await running.database.query(
      `CREATE FUNCTION public.interfere() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN ${body}; END $$;
       CREATE EVENT TRIGGER interfere ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.interfere();
       ${settings}`,
    );
    return () => running.database.query('DROP EVENT TRIGGER interfere; DROP FUNCTION public.interfere()');
  }

  async function state() {
    const [row] = await running.database.query(
      'SELECT (SELECT count(*) FROM tenancy.tenants) AS tenants, (SELECT count(*) FROM tenancy.tenant_domains) AS domains',
    );
    return { ...row, schemas: await running.schemas() };
  }

  it('keeps its connection, whose session knows the catalogs by then', async () => {
    await running.create({ slug: 'kept' });
    const { destroyed, recycled } = running.app.get(PoolStatistics).read();
    expect({ destroyed, recycled }).toEqual({ destroyed: {}, recycled: 0 });
  });

  it('lets one of several who want a slug at once have it, and tells the others', async () => {
    const before = await running.schemas();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, () => running.create({ slug: 'wanted' })),
    );
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(lost).toHaveLength(7);
    for (const { reason } of lost)
      expect(reason).toMatchObject({ code: 'TENANT_SLUG_TAKEN', statusCode: 409 });
    await expect(running.schemas()).resolves.toHaveLength(before.length + 1);
  });

  it.each([
    [
      'the disk is full',
      `RAISE 'could not extend file: No space left on device' USING ERRCODE = '53100'`,
      'No space left on device',
    ],
    ['statement_timeout strikes', `SET LOCAL statement_timeout = 1; PERFORM pg_sleep(60)`, undefined],
    [
      'the lock table is full',
      `RAISE 'out of shared memory' USING ERRCODE = '53200'`,
      'out of shared memory',
    ],
  ])('leaves nothing when %s in the middle, and says so', async (_what, body, message) => {
    const before = await state();
    const undo = await whenTablesAreMade(
      message === undefined ? 'PERFORM pg_sleep(60)' : body,
      message === undefined
        ? `ALTER ROLE CURRENT_USER IN DATABASE ${dbName()} SET statement_timeout = '300ms'`
        : '',
    );
    // New connections have the new setting.
    const fresh = await startAppOn(running.database);
    await expect(fresh.create({ slug: 'broken', domains: ['broken.example'] })).rejects.toMatchObject({
      code: 'PROVISIONING_FAILED',
      message: expect.stringContaining(message ?? 'statement timeout'),
    });
    await running.database.query(`ALTER ROLE CURRENT_USER IN DATABASE ${dbName()} RESET statement_timeout`);
    await undo();
    await expect(state()).resolves.toEqual(before);
    await expect(fresh.create({ slug: `later-${before.schemas.length}` })).resolves.toMatchObject({
      status: 'active',
    });
    await fresh.close();
  });

  const dbName = () => new URL(running.database.url).pathname.slice(1);
});

describe('a template that is migrated while tenants are made from it', () => {
  class AddSecond1700000000002 implements MigrationInterface {
    async up(queryRunner: QueryRunner): Promise<void> {
      await queryRunner.query('ALTER TABLE note ADD COLUMN place text');
      await queryRunner.query(`INSERT INTO note (text, place) VALUES ('second', 'here')`);
    }
    async down(): Promise<void> {}
  }
  const WAITING = `SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted`;
  const FIRST: Partial<TenancyOptions> = { templateData: ['note'] };
  const SECOND: Partial<TenancyOptions> = {
    ...FIRST,
    migrations: [CreateNotes1700000000000, AddSecond1700000000002],
  };

  async function shape(database: TestDatabase, schemaName: string): Promise<string> {
    const [{ columns, rows }] = await database.query<{ columns: string; rows: string }>(
      `SELECT (SELECT count(*) FROM pg_attribute WHERE attrelid = '${schemaName}.note'::regclass AND attnum > 0) AS columns,
              (SELECT count(*) FROM ${schemaName}.note) AS rows`,
    );
    return `${columns} columns, ${rows} rows`;
  }

  it('waits for the clones under way, and those that come later are of the new version: none mixes two', async () => {
    const database = await createTestDatabase();
    const old = await startAppOn(database, FIRST);
    // A clone waits after CREATE SCHEMA as long as somebody holds the gate.
    await database.query(
      `CREATE FUNCTION public.gate() RETURNS event_trigger LANGUAGE plpgsql AS $$
         BEGIN PERFORM pg_advisory_xact_lock_shared(42); END $$;
       CREATE EVENT TRIGGER gate ON ddl_command_end WHEN TAG IN ('CREATE SCHEMA') EXECUTE FUNCTION public.gate()`,
    );
    const gate = new Client({ connectionString: database.url });
    await gate.connect();
    await gate.query('SELECT pg_advisory_lock(42)');
    const waiting = async () => (await gate.query(WAITING)).rowCount ?? 0;
    const early = old.create({ slug: 'early' });
    while ((await waiting()) < 1);
    let hasStarted = false;
    const starting = startAppOn(database, SECOND).finally(() => (hasStarted = true));
    // The migrator waits for the template, or has not: then it is through.
    while ((await waiting()) < 2 && !hasStarted);
    await gate.query('SELECT pg_advisory_unlock(42)');
    const late = Promise.all([0, 1, 2].map((n) => old.create({ slug: `late-${n}` })));
    const renewed = await starting;
    expect(await shape(database, (await early).schemaName)).toBe('2 columns, 0 rows');
    for (const { schemaName } of await late) {
      expect(['2 columns, 0 rows', '3 columns, 1 rows']).toContain(await shape(database, schemaName));
    }
    for (const app of [renewed, old]) {
      const { schemaName } = await app.create({ slug: app === old ? 'after-old' : 'after-new' });
      expect(await shape(database, schemaName)).toBe('3 columns, 1 rows');
    }
    expect((await schemasOf(database)).length).toBe(6);
    await gate.end();
    await old.close();
    await renewed.close();
    await database.drop();
  });
});
