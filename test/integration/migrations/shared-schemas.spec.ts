import type { MigrationInterface } from 'typeorm';
import { Column, Entity, ManyToOne, PrimaryColumn } from 'typeorm';
import { tenantDataSource } from '../../../lib';
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
