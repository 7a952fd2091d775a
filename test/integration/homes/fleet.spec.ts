import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  FleetDrift,
  FleetMigrator,
  type Tenant,
  TenantConnection,
  TenantContext,
  TenantExport,
  TenantImport,
  type TenancyOptions,
} from '../../../lib';
import { CreateNotes1700000000000 } from '../../support/notes';
import type { TestApp } from '../../support/test-app';
import { startAppOn } from '../provisioning/app';
import { type DatabasesWorld, startDatabases } from './world';

class AddPlace1700000001000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE note ADD COLUMN place text');
    await queryRunner.query('UPDATE note SET place = (10 / (char_length(text) - 3))::text');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE note DROP COLUMN place');
  }
}

class Index1700000002000 implements MigrationInterface {
  readonly transaction = false;

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE UNIQUE INDEX CONCURRENTLY note_text ON note (text)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP INDEX CONCURRENTLY note_text');
  }
}

const OLD = [CreateNotes1700000000000];
const NEW = [...OLD, AddPlace1700000001000];
const INDEXED = [...NEW, Index1700000002000];

describe('The fleet, with tenants that have databases of their own', () => {
  let world: DatabasesWorld;
  let app: TestApp | undefined;
  let tenants: Tenant[];
  beforeAll(async () => {
    world = await startDatabases({ migrations: OLD });
    tenants = [
      await world.own('own'),
      await world.create({ slug: 'shared' }),
      await world.own('abroad', { place: { server: 'eu' } }),
    ];
  });
  afterEach(async () => {
    await app?.close();
    app = undefined;
  });
  afterAll(() => world.close());

  /** The next version of the application, on the same servers. */
  const start = async (migrations: typeof OLD, changes: Partial<TenancyOptions> = {}): Promise<TestApp> => {
    app = await startAppOn(world.database, {
      servers: { eu: { url: world.way.url } },
      migrations,
      ...changes,
    });
    return app;
  };
  const fleet = () => app!.app.get(FleetMigrator);
  const ask = <Row>(tenant: Tenant, sql: string) =>
    app!.app.get(TenantContext).run(tenant, () => app!.app.get(TenantConnection).query<Row[]>(sql));
  const columns = async () => {
    const counts: number[] = [];
    for (const tenant of tenants) {
      const [{ count }] = await ask<{ count: number }>(
        tenant,
        `SELECT count(*)::int AS count FROM pg_attribute WHERE attrelid = 'note'::regclass AND attnum > 0 AND NOT attisdropped`,
      );
      counts.push(count);
    }
    return counts;
  };
  const versions = async () =>
    (
      await world.database.query<{ version: string }>(
        'SELECT schema_version AS version FROM tenancy.tenants ORDER BY created_at',
      )
    ).map(({ version }) => version);

  it('is brought to the version of the code, and back', async () => {
    await start(NEW);
    await expect(fleet().up()).resolves.toMatchObject({ state: 'done', done: 3, failed: [], notReached: 0 });
    expect(await columns()).toEqual([3, 3, 3]);
    expect(await versions()).toEqual(Array(3).fill(AddPlace1700000001000.name));
    await expect(fleet().status()).resolves.toMatchObject({
      tenants: 3,
      behind: 0,
      troubles: [],
      warnings: [],
    });
    await expect(fleet().down()).resolves.toMatchObject({ state: 'done', done: 3, failed: [] });
    expect(await columns()).toEqual([2, 2, 2]);
    expect(await versions()).toEqual(Array(3).fill(OLD[0].name));
  });

  it('knows of what a run that died has committed in a tenant, and does not do it twice', async () => {
    await start(NEW);
    await fleet().up();
    // As the run leaves it that dies between its COMMIT in the tenant's database and the copy of the ledger.
    const forget = `DELETE FROM tenancy.tenant_migrations WHERE tenant_id = '${tenants[0].id}' AND name = '${AddPlace1700000001000.name}'`;
    await world.database.query(forget);
    await expect(fleet().status()).resolves.toMatchObject({ behind: 1 });
    await expect(fleet().up()).resolves.toMatchObject({ state: 'done', done: 0, skipped: 1, failed: [] });
    await expect(fleet().status()).resolves.toMatchObject({ behind: 0 });
    await fleet().down();
  });

  it('keeps migration and entry together: of one that fails neither is there', async () => {
    await world.write(tenants[0], 'abc');
    await start(NEW);
    await expect(fleet().up({ maxFailures: 5 })).resolves.toMatchObject({
      done: 2,
      failed: [{ slug: 'own' }],
    });
    expect(await columns()).toEqual([2, 3, 3]);
    await ask(tenants[0], `DELETE FROM note WHERE text = 'abc'`);
    await expect(fleet().up()).resolves.toMatchObject({ done: 1, failed: [] });
    await expect(fleet().status()).resolves.toMatchObject({ behind: 0, troubles: [] });
  });

  it('runs migrations outside of a transaction there, and takes the word of who resolves one', async () => {
    await world.write(tenants[0], 'same');
    await world.write(tenants[0], 'same');
    await start(INDEXED);
    await expect(fleet().up({ maxFailures: 5 })).resolves.toMatchObject({
      done: 2,
      failed: [{ slug: 'own' }],
    });
    const invalid = await ask<{ name: string }>(
      tenants[0],
      `SELECT relname AS name FROM pg_class WHERE relname = 'note_text'`,
    );
    expect(invalid).toHaveLength(1);
    await ask(tenants[0], 'DELETE FROM note');
    await ask(tenants[0], 'DROP INDEX note_text');
    await expect(fleet().resolve(Index1700000002000.name, 'rerun', { tenant: 'own' })).resolves.toBe(1);
    await expect(fleet().up()).resolves.toMatchObject({ done: 1, failed: [] });
    await expect(fleet().status()).resolves.toMatchObject({ behind: 0, troubles: [] });
    // The next run of any tenant must not take it away again.
    await expect(fleet().up()).resolves.toMatchObject({ done: 0 });
  });

  it('finds what differs in one, and repairs it', async () => {
    await start(INDEXED);
    await ask(tenants[0], 'DROP INDEX note_text');
    const drift = app!.app.get(FleetDrift);
    await expect(drift.check()).resolves.toMatchObject({ checked: 3, tenants: [{ slug: 'own' }] });
    await expect(drift.repair()).resolves.toMatchObject({
      tenants: [{ slug: 'own', repaired: [expect.stringMatching(/INDEX/)] }],
    });
    await expect(drift.check()).resolves.toMatchObject({ drifted: 0 });
  });

  it('tells of a database that is gone, and goes on', async () => {
    const lost = await world.own('lost');
    await world.database.query(`DROP DATABASE ${lost.schemaName} WITH (FORCE)`);
    await start(INDEXED);
    await expect(app!.app.get(FleetDrift).check()).resolves.toMatchObject({
      checked: 4,
      tenants: [{ slug: 'lost', differences: [{ kind: 'missing' }] }],
    });
    await world.database.query(`DELETE FROM tenancy.tenants WHERE slug = 'lost'`);
  });

  it('is exported from one and imported into another, and each brings the ledger along', async () => {
    await start(INDEXED);
    await ask(tenants[0], `INSERT INTO note (text) VALUES ('carried')`);
    const file = new PassThrough();
    const [bytes] = await Promise.all([buffer(file), app!.app.get(TenantExport).export('own', file)]);
    const { tenant } = await app!.app
      .get(TenantImport)
      .import(Readable.from(bytes), { slug: 'again', place: { isolation: 'database' } });
    expect(tenant.place).toEqual({ server: 'default', isolation: 'database' });
    expect(await ask(tenant, 'SELECT text FROM note')).toEqual([{ text: 'carried' }]);
    await expect(fleet().status()).resolves.toMatchObject({ tenants: 4, behind: 0 });
    const visited: string[] = [];
    await app!.app.get(TenantContext).eachTenant(async ({ slug }) => {
      const [{ name }] = await app!.app
        .get(TenantConnection)
        .query<{ name: string }[]>('SELECT current_database() AS name');
      visited.push(`${slug} ${name.startsWith('t_')}`);
    });
    expect(visited.sort()).toEqual(['abroad true', 'again true', 'own true', 'shared false']);
  });
});
