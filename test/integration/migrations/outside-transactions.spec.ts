import { Client } from 'pg';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { FleetMigrator, TenantContext, TenantLookup, type Tenant } from '../../../lib';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { CreateNotes1700000000000 } from '../../support/notes';
import type { TestApp } from '../../support/test-app';
import { startAppOn } from '../provisioning/app';

/** What cannot run in a transaction, and breaks where two notes are alike. */
class UniqueTexts1700000001000 implements MigrationInterface {
  readonly transaction = false;

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE UNIQUE INDEX CONCURRENTLY note_text ON note (text)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP INDEX CONCURRENTLY note_text');
  }
}

class AddPlace1700000002000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE note ADD COLUMN place text');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE note DROP COLUMN place');
  }
}

const UNIQUE = 'UniqueTexts1700000001000';
const PLACE = 'AddPlace1700000002000';
const OLD = [CreateNotes1700000000000];
const NEW = [...OLD, UniqueTexts1700000001000, AddPlace1700000002000];

let database: TestDatabase;
let old: TestApp;
let running: TestApp;
let fleet: FleetMigrator;
let tenants: Tenant[];

beforeEach(async () => {
  database = await createTestDatabase();
  old = await startAppOn(database, { migrations: OLD });
  tenants = [];
  for (let i = 0; i < 3; i++) tenants.push(await old.create({ slug: `tenant-${i}` }));
  running = await startAppOn(database, { migrations: NEW });
  fleet = running.app.get(FleetMigrator);
});
afterEach(async () => {
  await running.app.close();
  await old.app.close();
  await database.drop();
});

const indexes = () =>
  database.query<{ schema: string; valid: boolean }>(
    `SELECT n.nspname AS schema, i.indisvalid AS valid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = 'note_text' ORDER BY n.nspname = 'template' DESC, n.oid`,
  );

const states = () =>
  database.query<{ name: string; state: string }>(
    `SELECT name, state FROM tenancy.tenant_migrations WHERE tenant_id = '${tenants[1].id}' ORDER BY timestamp`,
  );

const version = async (slug: string) =>
  (await running.app.get(TenantLookup).find({ by: 'slug', value: slug }))?.schemaVersion;

describe('A migration that says transaction = false', () => {
  it('runs in the template and in every tenant, in its place among the others, and back', async () => {
    expect(await indexes()).toEqual([{ schema: 'template', valid: true }]);
    await expect(fleet.up()).resolves.toMatchObject({ state: 'done', done: 3, failed: [] });
    expect(await indexes()).toEqual(
      ['template', ...tenants.map(({ schemaName }) => schemaName)].map((schema) => ({ schema, valid: true })),
    );
    expect(await version('tenant-1')).toBe(PLACE);
    await running.create({ slug: 'later' });
    await expect(fleet.up()).resolves.toMatchObject({ runId: null });
    await expect(fleet.down()).resolves.toMatchObject({ state: 'done', done: 4 });
    await expect(fleet.down()).resolves.toMatchObject({ state: 'done', done: 4, template: [UNIQUE] });
    expect(await indexes()).toEqual([]);
    await expect(fleet.up()).resolves.toMatchObject({ state: 'done', done: 4, template: [UNIQUE, PLACE] });
  });

  it('is listed in the plan without SQL, which would have to be run to be seen', async () => {
    const { migrations } = await fleet.plan();
    expect(migrations).toMatchObject(
      [
        { name: UNIQUE, transaction: false, template: false, tenants: 3, sql: null, note: /read its code/ },
        { name: PLACE, transaction: true, sql: ['ALTER TABLE note ADD COLUMN place text'] },
      ].map((each) => ({ ...each, ...(each.note && { note: expect.stringMatching(each.note) }) })),
    );
  });

  it('that breaks off is marked, explained and not run again before a person has said what to do', async () => {
    await database.query(`INSERT INTO ${tenants[1].schemaName}.note (text) VALUES ('alike'), ('alike')`);
    const report = await fleet.up({ maxFailures: 5 });
    expect(report).toMatchObject({
      state: 'failed',
      done: 2,
      failed: [{ slug: 'tenant-1', migration: UNIQUE }],
    });
    expect(report.failed[0].message).toMatch(
      /did not come to its end in tenant "tenant-1": could not create unique index.*not valid \(note_text\).*resolve\('UniqueTexts1700000001000', 'done'\)/s,
    );
    expect(report.failed[0].statement).toContain('CONCURRENTLY');
    expect(await states()).toMatchObject([{}, { name: UNIQUE, state: 'unfinished' }]);

    await expect(fleet.up()).resolves.toMatchObject({ state: 'halted', failed: [{ slug: 'tenant-1' }] });
    await expect(fleet.status()).resolves.toMatchObject({
      behind: 1,
      troubles: [{ tenantId: tenants[1].id, migration: UNIQUE, state: 'unfinished' }],
    });

    await database.query(
      `SET search_path = ${tenants[1].schemaName}; DROP INDEX note_text; DELETE FROM note`,
    );
    await expect(fleet.resolve(UNIQUE, 'rerun')).resolves.toBe(1);
    await expect(fleet.up()).resolves.toMatchObject({ state: 'done', done: 1 });
    expect(await states()).toMatchObject([{}, { state: 'done' }, { state: 'done' }]);
  });

  it('whose process died is explained, and goes on when it is said to be done', async () => {
    // As the ledger is left by a process that is killed between the mark and the end.
    await database.query(
      `INSERT INTO tenancy.tenant_migrations (tenant_id, name, timestamp, state) VALUES ($1, $2, 1700000001000, 'unfinished')`,
      [tenants[1].id, UNIQUE],
    );
    const report = await fleet.up({ maxFailures: 1 });
    expect(report.failed).toMatchObject([
      { slug: 'tenant-1', message: expect.stringContaining('its process died') },
    ]);
    await database.query(`CREATE UNIQUE INDEX note_text ON ${tenants[1].schemaName}.note (text)`);
    await expect(fleet.resolve(UNIQUE, 'done', { tenant: 'tenant-0' })).resolves.toBe(0);
    await expect(fleet.resolve(UNIQUE, 'done', { tenant: 'tenant-1' })).resolves.toBe(1);
    expect(await version('tenant-1')).toBe(UNIQUE);
    await expect(fleet.up()).resolves.toMatchObject({ state: 'done', done: 1 });
  });

  it('that broke off in the template keeps nobody from starting, and new tenants wait until it is settled', async () => {
    await database.query(`
      DELETE FROM tenancy.template_migrations WHERE name IN ('${UNIQUE}', '${PLACE}');
      ALTER TABLE template.note DROP COLUMN place;
      INSERT INTO tenancy.tenant_migrations (tenant_id, name, timestamp, state, error)
      VALUES ('00000000-0000-0000-0000-000000000000', '${UNIQUE}', 1700000001000, 'unfinished', 'out of disk')`);
    const again = await startAppOn(database, { migrations: NEW });
    expect(again.log.errors.join()).toMatch(
      /No tenant can be made.*did not come to its end in the template: out of disk/s,
    );
    await expect(again.create({ slug: 'new' })).rejects.toMatchObject({
      code: 'TEMPLATE_UNFINISHED',
      statusCode: 503,
    });
    await expect(again.app.get(FleetMigrator).up()).rejects.toMatchObject({ code: 'MIGRATION_UNFINISHED' });
    await expect(again.app.get(FleetMigrator).resolve(UNIQUE, 'done')).resolves.toBe(1);
    await expect(again.app.get(FleetMigrator).up()).resolves.toMatchObject({
      state: 'done',
      template: [PLACE],
      done: 3,
    });
    await expect(again.create({ slug: 'new' })).resolves.toMatchObject({ schemaVersion: PLACE });
    await again.app.close();
  });

  it('cannot be settled while a session is at it', async () => {
    await database.query(
      `INSERT INTO tenancy.tenant_migrations (tenant_id, name, timestamp, state) VALUES ($1, $2, 1700000001000, 'unfinished')`,
      [tenants[1].id, UNIQUE],
    );
    const session = new Client({ connectionString: database.url });
    await session.connect();
    try {
      // As whoever runs the migration holds it, until its session ends.
      await session.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [
        `migrations of tenancy ${tenants[1].id}`,
      ]);
      await expect(fleet.resolve(UNIQUE, 'done')).rejects.toMatchObject({ code: 'MIGRATION_BUSY' });
    } finally {
      await session.end();
    }
    expect(await states()).toMatchObject([{}, { name: UNIQUE, state: 'unfinished' }]);
  });

  it('cannot be settled by a name that the code does not know, nor in a tenant that is not there', async () => {
    await expect(fleet.resolve("no'such", 'done')).rejects.toMatchObject({ code: 'UNKNOWN_MIGRATION' });
    await expect(fleet.resolve(UNIQUE, 'maybe' as 'done')).rejects.toThrow(RangeError);
    await expect(fleet.resolve(UNIQUE, 'done', { tenant: 'nobody' })).rejects.toMatchObject({
      code: 'TENANT_NOT_FOUND',
    });
    await expect(fleet.resolve(UNIQUE, 'done')).resolves.toBe(0);
  });

  it('does nothing in a shared schema when the tenant’s own is gone', async () => {
    await database.query(`DROP SCHEMA ${tenants[0].schemaName} CASCADE`);
    await expect(fleet.up({ maxFailures: 1 })).resolves.toMatchObject({
      failed: [{ slug: 'tenant-0', migration: UNIQUE, message: expect.stringContaining('is gone') }],
    });
  });
});

it('The version of a tenant’s schema is in its context at once', async () => {
  expect(await version('tenant-2')).toBe('CreateNotes1700000000000');
  await fleet.up();
  const tenant = (await running.app.get(TenantLookup).find({ by: 'slug', value: 'tenant-2' }))!;
  running.app.get(TenantContext).run(tenant, () => {
    expect(running.app.get(TenantContext).tenant().schemaVersion).toBe(PLACE);
  });
});
