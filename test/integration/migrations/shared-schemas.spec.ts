import { Client } from 'pg';
import type { MigrationInterface } from 'typeorm';
import { Column, Entity, ManyToOne, PrimaryColumn } from 'typeorm';
import { FleetMigrator, tenantDataSource } from '../../../lib';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { CreateNotes1700000000000, Note } from '../../support/notes';
import type { TestApp } from '../../support/test-app';
import { startAppOn } from '../provisioning/app';
import { OnlyLooking } from './only-looking';
import { migration, reversible } from './written-migrations';

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
    await expect(fleet.plan()).resolves.toMatchObject({
      shared: [{ schema: 'lookups', name: 'AddKind1700000001000' }],
    });
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
      /not one of the sharedSchemas \(reference\)/,
    );
  });

  it('that were edited after they ran are told of, until somebody says that he knows', async () => {
    await startShared([create]);
    const edited = migration('CreateCity1700000000000', 'CREATE TABLE city (id bigint PRIMARY KEY)');
    const { app } = await startShared([class extends edited {}]);
    const fleet = app.get(FleetMigrator);
    const { warnings } = await fleet.status();
    expect(warnings).toEqual([
      expect.stringMatching(
        /^lookups: CreateCity1700000000000 was edited after it ran\. What it did then stays: .* migrate acknowledge CreateCity1700000000000$/,
      ),
    ]);
    await expect(fleet.plan()).resolves.toMatchObject({ warnings });
    await expect(fleet.up()).resolves.toMatchObject({ runId: null, warnings });
    await expect(fleet.acknowledge('CreateCity1700000000000')).resolves.toBe(true);
    await expect(fleet.acknowledge('CreateCity1700000000000')).resolves.toBe(false);
    await expect(fleet.status()).resolves.toMatchObject({ warnings: [] });
  });

  it('that have run and are not in the code are told of', async () => {
    await startShared([create, value]);
    const { app, log } = await startShared([create]);
    expect(log.warnings).toEqual([
      expect.stringContaining(': lookups: AddKind1700000001000. They were removed'),
    ]);
    await expect(app.get(FleetMigrator).status()).resolves.toMatchObject({
      warnings: [
        'lookups: AddKind1700000001000 has run, but the code does not have it: it was removed, or another instance runs a newer version of the application.',
      ],
    });
    await expect(app.get(FleetMigrator).downShared('lookups')).rejects.toMatchObject({
      code: 'NOTHING_TO_REVERT',
    });
  });

  it('are taken back one by one, the last one first, but not while a tenant uses what they made', async () => {
    const city = reversible(
      'CreateCity1700000000000',
      'CREATE TABLE city (id int PRIMARY KEY)',
      'DROP TABLE city',
    );
    const mayor = reversible(
      'AddMayor1700000001000',
      'ALTER TABLE city ADD mayor text',
      'ALTER TABLE city DROP mayor',
    );
    const { app } = await startShared([city, mayor]);
    const fleet = app.get(FleetMigrator);
    await expect(fleet.downShared('lookups')).resolves.toBe('AddMayor1700000001000');
    await expect(database.query('SELECT * FROM lookups.city')).resolves.toEqual([]);
    await expect(fleet.downShared('lookups')).rejects.toMatchObject({
      code: 'SHARED_MIGRATION_FAILED',
      message: expect.stringContaining('other objects depend on it'),
    });
    await expect(ledger()).resolves.toEqual([{ name: 'lookups: CreateCity1700000000000' }]);
    await database.query('ALTER TABLE template.note DROP COLUMN city');
    await expect(fleet.downShared('lookups')).resolves.toBe('CreateCity1700000000000');
    await expect(fleet.downShared('lookups')).rejects.toMatchObject({ code: 'NOTHING_TO_REVERT' });
    await expect(fleet.downShared('constructor')).rejects.toMatchObject({ code: 'NOTHING_TO_REVERT' });
    await expect(fleet.up()).resolves.toMatchObject({
      shared: ['lookups: CreateCity1700000000000', 'lookups: AddMayor1700000001000'],
    });
  });

  it('are not taken back in the next schema on the path when their own is gone', async () => {
    const country = (version: number) =>
      reversible(
        `CreateCountry170000000${version}000`,
        'CREATE TABLE country (id int)',
        'DROP TABLE country',
      );
    const { app } = await startShared([country(1)], {
      migrations: [CreateNotes1700000000000],
      sharedSchemas: ['lookups', 'places'],
      sharedMigrations: { lookups: [country(1)], places: [country(2)] },
    });
    await database.query('DROP SCHEMA lookups CASCADE');
    await expect(app.get(FleetMigrator).downShared('lookups')).rejects.toMatchObject({
      code: 'SHARED_MIGRATION_FAILED',
      message: expect.stringContaining('the schema is not in the database'),
    });
    await expect(database.query('SELECT * FROM places.country')).resolves.toEqual([]);
    await expect(ledger()).resolves.toHaveLength(2);
  });
});

describe('A plan rehearses the migrations of shared schemas', () => {
  const city = migration(
    'CreateCity1700000000000',
    'CREATE TABLE city (id int PRIMARY KEY)',
    'INSERT INTO city VALUES (1)',
  );
  const kind = migration(
    'AddKind1700000001000',
    'ALTER TABLE lookups.city ADD kind text NOT NULL DEFAULT $$a$$ UNIQUE',
  );
  const refer = migration('Refer1700000002000', 'ALTER TABLE note ADD city int REFERENCES lookups.city');
  const referToKind = migration(
    'ReferToKind1700000003000',
    'ALTER TABLE note ADD kind text REFERENCES lookups.city (kind)',
  );

  async function startWith(
    shared: (new () => MigrationInterface)[],
    migrations: (new () => MigrationInterface)[],
    metadata?: Parameters<typeof startAppOn>[2],
  ) {
    const app = await startAppOn(
      database,
      {
        migrations: [CreateNotes1700000000000, ...migrations],
        sharedSchemas: ['lookups'],
        sharedMigrations: { lookups: shared },
      },
      metadata,
    );
    apps.push(app);
    return app.app.get(FleetMigrator);
  }
  const look = { imports: [OnlyLooking] };

  it('before there is the schema, and those of tenants that lean on it', async () => {
    const fleet = await startWith([city, kind], [refer, referToKind], look);
    const { shared, migrations } = await fleet.plan();
    expect(shared).toEqual([
      {
        schema: 'lookups',
        name: 'CreateCity1700000000000',
        sql: ['CREATE TABLE city (id int PRIMARY KEY)', 'INSERT INTO city VALUES (1)'],
        problems: [],
      },
      expect.objectContaining({ name: 'AddKind1700000001000', problems: [] }),
    ]);
    expect(migrations.map(({ problems }) => problems)).toEqual([[], [], []]);
    await expect(database.query(`SELECT FROM pg_namespace WHERE nspname = 'lookups'`)).resolves.toEqual([]);
  });

  it('on an empty copy: no table that tenants use is locked or changed', async () => {
    await startWith([city], [refer]);
    await apps[0].create({ slug: 'acme' });
    const fleet = await startWith([city, kind], [refer, referToKind], look);
    const reader = new Client({ connectionString: database.url });
    await reader.connect();
    try {
      await reader.query('BEGIN; SELECT * FROM lookups.city');
      const { shared, migrations } = await fleet.plan();
      expect(shared).toMatchObject([{ name: 'AddKind1700000001000', problems: [] }]);
      expect(migrations).toMatchObject([{ name: 'ReferToKind1700000003000', problems: [] }]);
    } finally {
      await reader.end();
    }
    await expect(database.query('SELECT * FROM lookups.city')).resolves.toEqual([{ id: 1 }]);
  });

  it('and tells what will fail', async () => {
    await startWith([city], []);
    const fleet = await startWith(
      [
        city,
        migration('Broken1700000001000', 'ALTER TABLE city ADD id int'),
        migration('Astray1700000002000', 'CREATE TABLE public.town (id int)'),
      ],
      [],
      look,
    );
    const { shared } = await fleet.plan();
    expect(shared).toMatchObject([
      {
        name: 'Broken1700000001000',
        problems: [expect.stringContaining('column "id" of relation "city" already exists')],
      },
      {
        name: 'Astray1700000002000',
        problems: [expect.stringContaining('it made table public.town outside of the schema "lookups"')],
      },
    ]);
    await expect(database.query(`SELECT to_regclass('public.town') AS town`)).resolves.toEqual([
      { town: null },
    ]);
  });

  it('but for a schema that cannot be copied, and says so', async () => {
    await startWith([city], []);
    await database.query('CREATE EXTENSION citext SCHEMA lookups');
    const fleet = await startWith([city, kind], [referToKind], look);
    const { shared, migrations } = await fleet.plan();
    expect(shared).toEqual([
      {
        schema: 'lookups',
        name: 'AddKind1700000001000',
        sql: null,
        note: expect.stringMatching(
          /^It cannot be tried on a copy of the shared schema, so read its code: .*citext/s,
        ),
        problems: [],
      },
    ]);
    expect(migrations).toMatchObject([
      { problems: [expect.stringContaining('(AddKind1700000001000 did not run there)')] },
    ]);
  });
});
