import { Table, type MigrationInterface, type QueryRunner } from 'typeorm';
import { FleetMigrator } from '../../../lib';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { CreateNotes1700000000000 } from '../../support/notes';
import type { TestApp } from '../../support/test-app';
import { startAppOn } from '../provisioning/app';

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
    await expect(fleet.plan()).resolves.toEqual({ migrations: [], warnings: [] });
    await expect(fleet.status()).resolves.toEqual({
      tenants: 2,
      behind: 0,
      migrations: [{ name: 'CreateNotes1700000000000', template: true, tenants: 2 }],
      troubles: [],
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
});
