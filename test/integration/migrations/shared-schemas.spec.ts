import type { MigrationInterface } from 'typeorm';
import { Column, Entity, ManyToOne, PrimaryColumn } from 'typeorm';
import { FleetMigrator, tenantDataSource } from '../../../lib';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { CreateNotes1700000000000, Note } from '../../support/notes';
import type { TestApp } from '../../support/test-app';
import { startAppOn } from '../provisioning/app';
import { migration } from './written-migrations';

@Entity({ schema: 'reference' })
class Country {
  @PrimaryColumn()
  code!: string;

  /** Which the database does not have yet. */
  @Column()
  added!: string;
}

@Entity()
class Address {
  @PrimaryColumn()
  id!: number;

  @ManyToOne(() => Country)
  country!: Country;
}

let database: TestDatabase;
let apps: TestApp[];

beforeEach(async () => {
  database = await createTestDatabase();
  apps = [];
  await database.query(
    'CREATE SCHEMA reference; CREATE TABLE reference.country (code varchar PRIMARY KEY, name text)',
  );
});
afterEach(async () => {
  for (const { app } of apps) await app.close();
  await database.drop();
});

async function start(
  migrations: (new () => MigrationInterface)[],
  sharedSchemas = ['reference'],
): Promise<void> {
  apps.push(
    await startAppOn(database, { migrations: [CreateNotes1700000000000, ...migrations], sharedSchemas }),
  );
}

describe('What all tenants share', () => {
  it.each([
    `ALTER TABLE "reference"."country" ADD added text`,
    `INSERT INTO reference.country VALUES ('ch')`,
    'CREATE TABLE reference.city (id int)',
    'CREATE INDEX i ON reference.country (name)',
    // Which would fail anyway, as it does in the second tenant.
    'ALTER TABLE "reference"."country" ADD name text',
  ])('is not changed by a tenant’s migration: %s', async (statement) => {
    await expect(start([migration('Change1700000001000', statement)])).rejects.toMatchObject({
      code: 'TEMPLATE_MIGRATION_FAILED',
      message: expect.stringMatching(
        /Change1700000001000.*It changes what all tenants share \("?reference"?\."?(country|city)"?\)/s,
      ),
    });
    await expect(database.query('SELECT * FROM reference.country')).resolves.toEqual([]);
  });

  it('may be read and referred to', async () => {
    await start([
      migration(
        'Refer1700000001000',
        'ALTER TABLE note ADD country varchar REFERENCES reference.country',
        'CREATE VIEW countries AS SELECT code FROM reference.country',
      ),
    ]);
    await apps[0].create({ slug: 'acme' });
  });

  it('must be there when the application starts', async () => {
    await expect(start([], ['reference', 'look"ups'])).rejects.toMatchObject({
      code: 'SHARED_SCHEMA_MISSING',
      message: expect.stringContaining('CREATE SCHEMA "look""ups"'),
    });
  });

  it('is left out of what TypeORM generates for tenants, but for keys that lead there', async () => {
    const template = tenantDataSource({
      database: { url: database.url },
      entities: [Note, Address, Country],
      sharedSchemas: ['reference'],
    });
    await template.initialize();
    try {
      const { upQueries } = await template.driver.createSchemaBuilder().log();
      const all = upQueries.map(({ query }) => query);
      expect(all.filter((query) => /(CREATE|ALTER) TABLE "reference"/.test(query))).toEqual([]);
      expect(all).toContainEqual(expect.stringContaining('CREATE TABLE "address"'));
      expect(all).toContainEqual(expect.stringContaining('REFERENCES "reference"."country"'));
    } finally {
      await template.destroy();
    }
  });
});

describe('sharedMigrations', () => {
  const create = migration(
    'CreateCity1700000000000',
    'CREATE TABLE city (id int PRIMARY KEY)',
    'INSERT INTO city VALUES (1)',
  );
  const value = migration(
    'AddKind1700000001000',
    `CREATE TYPE kind AS ENUM ('a')`,
    'ALTER TABLE city ADD kind kind',
  );
  const refer = migration('Refer1700000002000', 'ALTER TABLE note ADD city int REFERENCES lookups.city');
  const broken = migration('Broken1700000003000', 'ALTER TABLE city ADD id int');

  async function startShared(
    shared: (new () => MigrationInterface)[],
    changes: Parameters<typeof startAppOn>[1] = {},
  ) {
    const app = await startAppOn(database, {
      migrations: [CreateNotes1700000000000, refer],
      sharedSchemas: ['lookups'],
      sharedMigrations: { lookups: shared },
      ...changes,
    });
    apps.push(app);
    return app;
  }
  const ledger = () =>
    database.query(`SELECT schema_name || ': ' || name AS name FROM tenancy.shared_migrations ORDER BY name`);

  it('run once in a database, before the template’s, in a schema that is made for them', async () => {
    await Promise.all([startShared([create]), startShared([create])]);
    const { create: makeTenant } = await startShared([value, create]);
    await makeTenant({ slug: 'acme' });
    await makeTenant({ slug: 'globex' });
    await expect(database.query('SELECT * FROM lookups.city')).resolves.toEqual([{ id: 1, kind: null }]);
    await expect(ledger()).resolves.toEqual([
      { name: 'lookups: AddKind1700000001000' },
      { name: 'lookups: CreateCity1700000000000' },
    ]);
  });

  it('are told by status and plan, and brought by a run of the fleet', async () => {
    await startShared([create]);
    const { app } = await startShared([create, value]);
    await database.query(`DELETE FROM tenancy.shared_migrations WHERE name LIKE 'AddKind%'`);
    await database.query('ALTER TABLE lookups.city DROP COLUMN kind; DROP TYPE lookups.kind');
    const fleet = app.get(FleetMigrator);
    await expect(fleet.status()).resolves.toMatchObject({
      shared: [
        { schema: 'lookups', name: 'CreateCity1700000000000', done: true },
        { schema: 'lookups', name: 'AddKind1700000001000', done: false },
      ],
    });
    await expect(fleet.plan()).resolves.toMatchObject({ shared: ['lookups: AddKind1700000001000'] });
    await expect(fleet.up()).resolves.toMatchObject({
      state: 'done',
      shared: ['lookups: AddKind1700000001000'],
      template: [],
    });
    await expect(fleet.up()).resolves.toMatchObject({ runId: null, shared: [] });
  });

  it('that fail are named, with nothing of them kept', async () => {
    await expect(startShared([create, broken])).rejects.toMatchObject({
      code: 'SHARED_MIGRATION_FAILED',
      message: expect.stringMatching(
        /Broken1700000003000 of the shared schema "lookups" failed: column "id"/,
      ),
    });
    await expect(ledger()).resolves.toEqual([{ name: 'lookups: CreateCity1700000000000' }]);
  });

  it('are not run by an instance that is told to leave the template, and must be of a shared schema', async () => {
    await expect(startShared([create], { migrateTemplate: false })).rejects.toMatchObject({
      code: 'TEMPLATE_BEHIND',
    });
    await expect(startShared([create], { sharedSchemas: [] })).rejects.toThrow(/sharedMigrations is /);
  });

  it('are generated apart, from the entities of their schema, without its name', async () => {
    const options = {
      database: { url: database.url },
      entities: [Note, Address, Country],
      sharedSchemas: ['reference'],
    };
    const shared = tenantDataSource({ ...options, shared: 'reference' });
    await shared.initialize();
    try {
      const { upQueries } = await shared.driver.createSchemaBuilder().log();
      const all = upQueries.map(({ query }) => query);
      expect(all).toContainEqual(expect.stringContaining('ALTER TABLE "country" ADD "added"'));
      expect(all.filter((query) => /note|address|"reference"/.test(query))).toEqual([]);
    } finally {
      await shared.destroy();
    }
    expect(() => tenantDataSource({ ...options, shared: 'other' })).toThrow(
      /none of the sharedSchemas \(reference\)/,
    );
  });
});
