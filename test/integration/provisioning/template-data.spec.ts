import { PassThrough } from 'node:stream';
import { Client } from 'pg';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  type Tenant,
  type TenancyOptions,
  TenantExport,
  TenantImport,
  TenantProvisioner,
} from '../../../lib';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { type ProvisioningApp, startAppOn, startProvisioningApp } from './app';

/** Tables that need each other's rows, in an order that no alphabet gives, with all that a copy may trip over. */
class CreateShop1700000000001 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE "Zone" (code char(3) PRIMARY KEY, parent char(3) REFERENCES "Zone", head int);
      CREATE TABLE clerk (
        id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, zone char(3) NOT NULL REFERENCES "Zone",
        shout text GENERATED ALWAYS AS (upper(name)) STORED, tags text[], extra jsonb, at timestamptz, raw bytea);
      ALTER TABLE "Zone" ADD FOREIGN KEY (head) REFERENCES clerk;
      CREATE TABLE counter (id serial PRIMARY KEY, n numeric);
      CREATE TABLE marker ();
      CREATE TABLE trail (what text);
      CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO trail VALUES (TG_TABLE_NAME); RETURN NEW; END $$;
      INSERT INTO "Zone" VALUES ('eu', NULL), ('de', 'eu');
      INSERT INTO clerk (id, name, zone, tags, extra, at, raw) OVERRIDING SYSTEM VALUE
        VALUES (7, E'O''Hara \\\\ "x"', 'de', '{a,NULL}', '{"a": 1}', '2020-01-01 00:00+00', '\\x00ff');
      ALTER TABLE clerk ALTER COLUMN id RESTART WITH 8;
      UPDATE "Zone" SET head = 7;
      INSERT INTO counter (n) SELECT 'NaN' FROM generate_series(1, 500);
      INSERT INTO marker DEFAULT VALUES;
      CREATE TRIGGER seen AFTER INSERT ON clerk FOR EACH ROW EXECUTE FUNCTION note_it()`);
  }

  async down(): Promise<void> {}
}

const SHOP: Partial<TenancyOptions> = {
  entities: [],
  migrations: [CreateShop1700000000001],
  templateData: ['Zone', 'clerk', 'counter', 'marker'],
};

const TABLES = ['"Zone"', 'clerk', 'counter', 'marker', 'trail'];

/** All rows, as text, by table. */
async function contents(database: TestDatabase, schema: string): Promise<Record<string, unknown[]>> {
  const entries = await Promise.all(
    TABLES.map(async (table) => {
      const found = await database.query(`SELECT t::text AS row FROM ${schema}.${table} t ORDER BY 1`);
      return [table, found.map(({ row }) => row)] as const;
    }),
  );
  return Object.fromEntries(entries);
}

describe('template data', () => {
  let running: ProvisioningApp;
  let acme: Tenant;

  beforeAll(async () => {
    running = await startProvisioningApp(SHOP);
    acme = await running.create({ slug: 'acme' });
  });
  afterAll(() => running.close());

  it('is in every new tenant: foreign keys both ways, identity, generated columns, tables without columns', async () => {
    const template = await contents(running.database, 'template');
    expect(template.counter).toHaveLength(500);
    await expect(contents(running.database, acme.schemaName)).resolves.toEqual(template);
    expect(template.clerk[0]).toContain(`O'HARA`);
  });

  it('fires no trigger, and leaves the triggers in place', async () => {
    const { database } = running;
    await database.query(
      `SET search_path = ${acme.schemaName}; INSERT INTO clerk (name, zone) VALUES ('new', 'eu')`,
    );
    await expect(database.query(`SELECT what FROM ${acme.schemaName}.trail`)).resolves.toEqual([
      { what: 'clerk' },
    ]);
  });

  it('advances identity and serial sequences, so that the first own rows do not collide', async () => {
    const globex = await running.create({ slug: 'globex' });
    const insert = (sql: string) =>
      running.database.query(
        `WITH i AS (INSERT INTO ${globex.schemaName}.${sql} RETURNING id) SELECT id FROM i`,
      );
    await expect(insert('counter (n) VALUES (1)')).resolves.toEqual([{ id: 501 }]);
    await running.database.query(`ALTER TABLE ${globex.schemaName}.clerk DISABLE TRIGGER seen`);
    await expect(insert(`clerk (name, zone) VALUES ('x', 'de')`)).resolves.toEqual([{ id: 8 }]);
  });

  it('that was added by hand since the start comes with the numbers that it took', async () => {
    await running.database.query(`INSERT INTO template.counter (n) VALUES (1);
      ALTER TABLE template.clerk DISABLE TRIGGER seen;
      INSERT INTO template.clerk (name, zone) VALUES ('by hand', 'de');
      ALTER TABLE template.clerk ENABLE TRIGGER seen`);
    const { schemaName } = await running.create({ slug: 'by-hand' });
    const insert = (sql: string) =>
      running.database.query(`WITH i AS (INSERT INTO ${schemaName}.${sql} RETURNING id) SELECT id FROM i`);
    await expect(insert('counter (n) VALUES (1)')).resolves.toEqual([{ id: 502 }]);
    await running.database.query(`ALTER TABLE ${schemaName}.clerk DISABLE TRIGGER seen`);
    await expect(insert(`clerk (name, zone) VALUES ('x', 'de')`)).resolves.toEqual([{ id: 9 }]);
    await running.database
      .query(`DELETE FROM template.counter WHERE id = 501; SELECT setval('template.counter_id_seq', 500);
      DELETE FROM template.clerk WHERE id = 8; ALTER TABLE template.clerk ALTER id RESTART WITH 8`);
  });

  it('is checked by the foreign keys of the new tenant, not of the template', async () => {
    await expect(
      running.database.query(`DELETE FROM ${acme.schemaName}."Zone" WHERE code = 'eu'`),
    ).rejects.toMatchObject({ code: '23503' });
    await running.database.query(`UPDATE ${acme.schemaName}."Zone" SET head = NULL WHERE code = 'de'`);
  });
});

describe('template data whose numbers are taken elsewhere', () => {
  class CreateEvents1700000000001 implements MigrationInterface {
    async up(queryRunner: QueryRunner): Promise<void> {
      await queryRunner.query(`
        CREATE TABLE event (id int GENERATED ALWAYS AS IDENTITY, kind int) PARTITION BY LIST (kind);
        CREATE TABLE event_a PARTITION OF event FOR VALUES IN (1);
        CREATE TABLE visit (id serial, kind int) PARTITION BY LIST (kind);
        CREATE TABLE visit_a (id int NOT NULL, kind int);
        ALTER TABLE visit ATTACH PARTITION visit_a FOR VALUES IN (1);
        CREATE SEQUENCE number;
        CREATE FUNCTION next_number() RETURNS int LANGUAGE sql AS $$ SELECT nextval('number')::int $$;
        CREATE TABLE bill (id int DEFAULT next_number(), kind int);
        INSERT INTO event (kind) VALUES (1); INSERT INTO visit (kind) VALUES (1); INSERT INTO bill (kind) VALUES (1)`);
    }

    async down(): Promise<void> {}
  }

  it('comes with them: by the table that one is a part of, or by a function', async () => {
    const { database, create, close } = await startProvisioningApp({
      entities: [],
      migrations: [CreateEvents1700000000001],
      templateData: ['event_a', 'visit_a', 'bill'],
    });
    try {
      const fill = (schema: string) =>
        database.query(
          `SET search_path = ${schema}; INSERT INTO event (kind) VALUES (1); INSERT INTO visit (kind) VALUES (1);
           INSERT INTO bill (kind) VALUES (1)`,
        );
      await fill('template');
      const { schemaName } = await create({ slug: 'acme' });
      await fill(schemaName);
      for (const table of ['event', 'visit', 'bill'])
        await expect(
          database.query(`SELECT array_agg(id ORDER BY id) AS ids FROM ${schemaName}.${table}`),
        ).resolves.toEqual([{ ids: [1, 2, 3] }]);
    } finally {
      await close();
    }
  });
});

describe('rows in the template', () => {
  it('of tables that are not named fail the start, with both remedies', async () => {
    await expect(
      startProvisioningApp({ ...SHOP, templateData: ['Zone', 'clerk', 'marker'] }),
    ).rejects.toMatchObject({
      code: 'SCHEMA_NOT_CLONEABLE',
      message: expect.stringMatching(/rows of table counter: .*templateData.*delete/),
    });
  });

  it.each(['zone', 'template.clerk', '"Zone"', '', 'nothing; DROP TABLE clerk'])(
    'of a table that is not there fail the start: %j',
    async (name) => {
      await expect(
        startProvisioningApp({ ...SHOP, templateData: [...SHOP.templateData!, name] }),
      ).rejects.toMatchObject(
        name === '' ? { code: 'TENANCY_OPTIONS_INVALID' } : { code: 'UNKNOWN_TABLE', names: [name] },
      );
    },
  );

  it('come with a later migration to the tenants made from then on', async () => {
    class AddZone1700000000002 implements MigrationInterface {
      async up(queryRunner: QueryRunner): Promise<void> {
        await queryRunner.query(`INSERT INTO "Zone" VALUES ('us', NULL)`);
      }
      async down(): Promise<void> {}
    }
    const database = await createTestDatabase();
    const first = await startAppOn(database, SHOP);
    await first.create({ slug: 'acme' });
    const second = await startAppOn(database, {
      ...SHOP,
      migrations: [CreateShop1700000000001, AddZone1700000000002],
    });
    for (const [app, slug] of [
      [second, 'globex'],
      [first, 'initech'],
    ] as const) {
      const { schemaName } = await app.app.get(TenantProvisioner).create({ slug });
      await expect(database.query(`SELECT code FROM ${schemaName}."Zone" ORDER BY 1`)).resolves.toHaveLength(
        3,
      );
    }
    await first.close();
    await second.close();
    await database.drop();
  });
});

/** Types of the schema's own, each of which a clone has another of, and columns of each, of arrays and of domains over them. */
class CreateTypes1700000000003 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TYPE "Mood" AS ENUM ('good', 'so, so', 'ba"d');
      CREATE DOMAIN "better mood" AS "Mood" CHECK (VALUE <> 'ba"d');
      CREATE DOMAIN percent AS numeric(5, 2) CHECK (VALUE BETWEEN 0 AND 100);
      CREATE TYPE visit AS (at timestamptz, "for" interval, mood "Mood", share double precision, note text, raw bytea);
      CREATE TYPE span AS RANGE (subtype = timestamptz, multirange_type_name = spans);
      CREATE TYPE mood_span AS RANGE (subtype = "Mood");
      CREATE TABLE every_type (
        id int PRIMARY KEY, mood "Mood" NOT NULL DEFAULT 'good', moods "Mood"[], better "better mood",
        betters "better mood"[], share percent, shares percent[], visit visit, visits visit[], span span, spans spans,
        span_list span[], spans_list spans[], mood_span mood_span, words text[],
        named text GENERATED ALWAYS AS (CASE mood WHEN 'good' THEN 'yes' END) STORED);
      SET LOCAL timezone = 'Asia/Kolkata';
      INSERT INTO every_type VALUES
        (1, 'so, so', '{good,"so, so",NULL}', 'good', '{good,NULL}', 12.34, '{0,100}',
         ROW ('2020-03-04 05:06:07.123456+09', '-1 mons +2 days -03:04:05', 'ba"d', 0.1 + 0.2::float8, E'a"b\\\\c,(', '\\x00ff'),
         ARRAY[ROW (NULL, '1 year', 'good', 'NaN', '', NULL), NULL]::visit[], '[2020-01-02,infinity)', '{[2020-01-02,2020-02-01)}',
         '{"[2020-01-02,)",empty}', ARRAY['{}'::spans], '[good,"so, so"]', '{x}'),
        (2, 'good', '{{good,good},{"so, so",good}}', NULL, '{}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`);
  }

  async down(): Promise<void> {}
}

describe('rows of types of the schema’s own', () => {
  const TYPES = { entities: [], migrations: [CreateTypes1700000000003], templateData: ['every_type'] };

  it('are in a new tenant, in its clones and its exports as they are in the template, whatever formats the database has', async () => {
    const database = await createTestDatabase();
    const [{ name }] = await database.query<{ name: string }>('SELECT current_database() AS name');
    for (const setting of [
      `datestyle = 'SQL, DMY'`,
      `intervalstyle = 'sql_standard'`,
      'extra_float_digits = 0',
    ])
      await database.query(`ALTER DATABASE "${name}" SET ${setting}`);
    const running = await startAppOn(database, TYPES);
    const acme = await running.create({ slug: 'acme' });
    const copy = await running.app.get(TenantProvisioner).clone('acme', 'copy', {
      mask: { every_type: { mood: `CASE mood WHEN 'good' THEN 'so, so' ELSE mood END` } },
    });
    const file = new PassThrough();
    const [moved] = await Promise.all([
      running.app.get(TenantImport).import(file, { slug: 'moved' }),
      running.app.get(TenantExport).export('acme', file),
    ]);
    const reader = new Client({
      connectionString: database.url,
      options: '-c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=1',
    });
    await reader.connect();
    const rowsOf = async (schema: string) => {
      const { rows } = await reader.query<{ row: string }>(
        `SELECT t::text AS row FROM ${schema}.every_type t ORDER BY id`,
      );
      return rows.map(({ row }) => row);
    };
    const template = await rowsOf('template');
    expect(template).toHaveLength(2);
    await expect(rowsOf(acme.schemaName)).resolves.toEqual(template);
    await expect(rowsOf(moved.tenant.schemaName)).resolves.toEqual(template);
    const masked = template.map((row) => row.replace('2,good', '2,"so, so"').replace(',yes)', ',)'));
    await expect(rowsOf(copy.schemaName)).resolves.toEqual(masked);
    await reader.end();
    await running.close();
    await database.drop();
  });

  it('that a clone refuses fail the start, with a remedy about rows', async () => {
    class Break1700000000004 implements MigrationInterface {
      async up(queryRunner: QueryRunner): Promise<void> {
        await queryRunner.query(`ALTER DOMAIN percent ADD CHECK (VALUE <> 12.34) NOT VALID`);
      }
      async down(): Promise<void> {}
    }
    await expect(
      startProvisioningApp({ ...TYPES, migrations: [...TYPES.migrations, Break1700000000004] }),
    ).rejects.toMatchObject({
      code: 'SCHEMA_NOT_CLONEABLE',
      message: expect.stringMatching(/INSERT INTO "every_type" .*percent.*Correct the rows .* templateData/s),
    });
  });
});
