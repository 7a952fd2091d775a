import type { Client } from 'pg';
import { Table, type MigrationInterface, type QueryRunner } from 'typeorm';
import { FleetMigrator } from '../../../lib';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { CreateNotes1700000000000 } from '../../support/notes';
import type { TestApp } from '../../support/test-app';
import { startAppOn } from '../provisioning/app';
import { OnlyLooking } from './only-looking';
import { migration } from './written-migrations';

class AddTags1700000001000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.createTable(
      new Table({ name: 'tag', columns: [{ name: 'id', type: 'int', isPrimary: true }] }),
    );
    await queryRunner.query('INSERT INTO tag VALUES ($1)', [7]);
    await queryRunner.query('DELETE FROM tag');
    await queryRunner.query(`SELECT setval('note_id_seq', 10)`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE tag');
  }
}

/** Ends its transaction, once it is told to: the template would not have taken it otherwise. */
class EndTransaction1700000002000 implements MigrationInterface {
  static ending: ((queryRunner: QueryRunner) => Promise<unknown>) | undefined;

  async up(queryRunner: QueryRunner): Promise<void> {
    await EndTransaction1700000002000.ending?.(queryRunner);
    await queryRunner.query('CREATE TABLE ended (id int)');
  }

  async down(): Promise<void> {}
}

const OLD = [CreateNotes1700000000000];

let database: TestDatabase;
const apps: TestApp[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  for (const { app } of apps) await app.close();
  await database.drop();
});

async function start(migrations: typeof OLD): Promise<FleetMigrator> {
  const running = await startAppOn(database, { migrations });
  apps.push(running);
  return running.app.get(FleetMigrator);
}

const schemas = () => database.query('SELECT nspname FROM pg_namespace ORDER BY 1');

describe('A plan', () => {
  it('of a fleet that is up to date has nothing in it', async () => {
    const fleet = await start(OLD);
    for (const slug of ['one', 'two']) await apps[0].create({ slug });
    await expect(fleet.plan()).resolves.toEqual({ shared: [], migrations: [], warnings: [] });
    await expect(fleet.status()).resolves.toEqual({
      tenants: 2,
      behind: 0,
      migrations: [{ name: 'CreateNotes1700000000000', template: true, tenants: 2, lackedBy: [] }],
      shared: [],
      troubles: [],
      troubleCount: 0,
      lastRun: null,
      warnings: [],
    });
  });

  it('tells each migration’s SQL without changing anything, and what cannot be told', async () => {
    // The template has seen them from the start of the application; it is the tenants that lack them.
    const fleet = await start([...OLD, AddTags1700000001000]);
    await apps[1].create({ slug: 'three' });
    const before = await schemas();
    await expect(fleet.plan()).resolves.toEqual({
      shared: [],
      migrations: [
        {
          name: 'AddTags1700000001000',
          transaction: true,
          template: false,
          tenants: 2,
          sql: [
            'CREATE TABLE "tag" ("id" int NOT NULL, CONSTRAINT "PK_8e4052373c579afc1471f526760" PRIMARY KEY ("id"))',
            'INSERT INTO tag VALUES ($1) -- [7]',
            'DELETE FROM tag',
            `SELECT setval('note_id_seq', 10)`,
          ],
          problems: [],
        },
      ],
      warnings: [],
    });
    expect(await schemas()).toEqual(before);
    await expect(fleet.status()).resolves.toMatchObject({
      tenants: 3,
      behind: 2,
      migrations: [{ tenants: 3 }, { name: 'AddTags1700000001000', template: true, tenants: 1 }],
    });
  });

  it('tells what will go wrong: a failure with its remedy, and names that lead out of the tenant', async () => {
    await database.query('CREATE SCHEMA reporting; CREATE TABLE reporting.totals (id int)');
    await database.query('CREATE SCHEMA extensions; CREATE EXTENSION citext SCHEMA extensions');
    class IndexPublic1700000006000 {
      readonly transaction = false;
      async up(queryRunner: QueryRunner): Promise<void> {
        await queryRunner.query('CREATE INDEX CONCURRENTLY i ON public.note (text)');
      }
      async down(): Promise<void> {}
    }
    const app = await startAppOn(
      database,
      {
        migrations: [
          ...OLD,
          AddTags1700000001000,
          migration(
            'Enum1700000002000',
            `CREATE TYPE state AS ENUM ('new')`,
            'ALTER TABLE tag ADD state state',
          ),
          migration('Value1700000003000', `ALTER TYPE state ADD VALUE 'paid'`),
          migration('Use1700000003500', `ALTER TABLE tag ALTER state SET DEFAULT 'paid'`),
          migration('Public1700000004000', `CREATE TYPE "public"."kind" AS ENUM ('a')`),
          migration('Names1700000004500', 'SELECT * FROM reporting.totals', 'SELECT tag.id FROM tag'),
          migration('Shared1700000004700', 'ALTER TABLE tag ADD mail extensions.citext'),
          migration('Index1700000005000', 'CREATE INDEX CONCURRENTLY i ON note (text)'),
          IndexPublic1700000006000,
        ],
        sharedSchemas: ['extensions'],
      },
      { imports: [OnlyLooking] },
    );
    apps.push(app);
    const { migrations } = await app.app.get(FleetMigrator).plan();
    const problems = Object.fromEntries(
      migrations.filter((each) => each.problems.length > 0).map((each) => [each.name, each.problems]),
    );
    expect(migrations.find(({ name }) => name === 'Use1700000003500')).toMatchObject({
      sql: [`ALTER TABLE tag ALTER state SET DEFAULT 'paid'`],
      note: expect.stringContaining('only after a commit'),
    });
    const named = (names: string) => [
      `It names a schema, so it would work on that one schema for every tenant. Write names without a schema: ${names}.`,
    ];
    expect(problems).toEqual({
      Public1700000004000: named('"public"."kind" → "kind"'),
      Names1700000004500: named('reporting.totals → totals'),
      Index1700000005000: [
        'On an empty copy of the structure it fails (Use1700000003500 did not run there): CREATE INDEX CONCURRENTLY cannot run inside a transaction block. ' +
          'What cannot run in a transaction goes by itself into a migration that says: readonly transaction = false.',
      ],
      IndexPublic1700000006000: named('public.note → note'),
    });
  });
});

describe('A plan of a migration that ends its transaction', () => {
  it.each<[string, (queryRunner: QueryRunner) => Promise<unknown>]>([
    ['COMMIT', (queryRunner) => queryRunner.query('COMMIT')],
    ['a hidden COMMIT', (queryRunner) => queryRunner.query("SELECT 'begin atomic'; COMMIT; SELECT 1")],
    [
      'a method',
      (queryRunner) => queryRunner.commitTransaction().then(() => queryRunner.commitTransaction()),
    ],
    [
      'the client',
      (queryRunner) => queryRunner.connect().then((client: Client) => client.query('ROLLBACK; BEGIN')),
    ],
  ])('keeps nothing of a migration that ends its transaction by %s', async (_way, ending) => {
    EndTransaction1700000002000.ending = undefined;
    const fleet = await start([...OLD, AddTags1700000001000, EndTransaction1700000002000]);
    const before = await schemas();
    EndTransaction1700000002000.ending = ending;
    const { migrations } = await fleet.plan();
    expect(migrations.at(-1)).toMatchObject({
      name: 'EndTransaction1700000002000',
      problems: [expect.stringContaining('it ends the transaction in which it runs')],
    });
    expect(await schemas()).toEqual(before);
  });
});
