import type { MigrationInterface, QueryRunner } from 'typeorm';
import { FleetMigrator } from '../../../lib';
import { CreateNotes1700000000000 } from '../../support/notes';
import type { TestApp } from '../../support/test-app';
import { ownDatabase } from '../provisioning/app';
import { migration } from './written-migrations';

const DUMP_PREAMBLE = `--
-- PostgreSQL database dump
--

SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);`;

const own = ownDatabase();
const { database } = own;

const start = (...added: (new () => MigrationInterface)[]): Promise<TestApp> =>
  own.start({ migrations: [CreateNotes1700000000000, ...added] });

const tables = () =>
  database.query(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname IN ('public', 'template') AND tablename <> 'typeorm_metadata'`,
  );

const later = migration('Later1700000002000', 'CREATE TABLE later (id int)');

describe('A migration that changes search_path is named, and nothing of it is kept', () => {
  it.each([
    [
      'by SET',
      ['SET search_path TO public', 'CREATE TABLE a (id int)'],
      'public (SET search_path TO public)',
    ],
    ['by SET SCHEMA', [`SET SCHEMA 'public'`], `public (SET SCHEMA 'public')`],
    ['by SET LOCAL', ['SET LOCAL search_path = public'], 'public (SET LOCAL search_path = public)'],
    ['by RESET', ['RESET search_path'], 'nothing (RESET search_path)'],
    [
      'by the top of a dump',
      [DUMP_PREAMBLE],
      `nothing (SELECT pg_catalog.set_config('search_path', '', false))`,
    ],
    ['by what no text shows', [`DO $$ BEGIN EXECUTE 'SET search' || '_path = public'; END $$`], 'public.'],
  ])('%s', async (_case, statements, shown) => {
    const changing = migration('Changing1700000001000', ...statements);
    const message = `The migration Changing1700000001000 cannot build the template: it changed search_path to ${shown}`;
    await expect(start(changing, later)).rejects.toMatchObject({
      code: 'TEMPLATE_MIGRATION_FAILED',
      message: expect.stringContaining(message),
    });
    await expect(tables()).resolves.toEqual([{ name: 'note' }]);
  });

  it('also when it fails by it', async () => {
    const dump = migration('Dump1700000001000', `${DUMP_PREAMBLE}\nCREATE TABLE a (id int);`);
    await expect(start(dump)).rejects.toMatchObject({
      message: expect.stringMatching(
        /Dump1700000001000 .*no schema has been selected.*had changed search_path before \(SELECT pg_catalog.set_config\('search_path', '', false\)\)/s,
      ),
    });
  });

  it('but a function may have a path of its own', async () => {
    await start(
      migration(
        'Fn1700000001000',
        `CREATE FUNCTION one() RETURNS int LANGUAGE sql SET search_path = pg_catalog AS 'SELECT 1'`,
        'SELECT one()',
      ),
    );
  });

  it.each([
    [
      'changes the path',
      'SET search_path = public',
      'it changed search_path to public (SET search_path = public)',
    ],
    ['ends its transaction', 'COMMIT', 'it ended the transaction'],
  ])('in a tenant, too, when it %s', async (_case, statement, message) => {
    const first = await start();
    const { schemaName } = await first.create({ slug: 'acme' });
    class OnlyInTenants1700000001000 implements MigrationInterface {
      async up(queryRunner: QueryRunner): Promise<void> {
        const [{ schema }] = (await queryRunner.query('SELECT current_schema() AS schema')) as {
          schema: string;
        }[];
        if (schema !== 'template') await queryRunner.query(statement);
      }
      async down(): Promise<void> {}
    }
    const { app } = await start(OnlyInTenants1700000001000, later);
    await expect(app.get(FleetMigrator).up()).resolves.toMatchObject({
      failed: [
        { slug: 'acme', migration: 'OnlyInTenants1700000001000', message: expect.stringContaining(message) },
      ],
    });
    await expect(
      database.query(`SELECT tablename FROM pg_tables WHERE schemaname IN ('public', $1)`, [schemaName]),
    ).resolves.toEqual([{ tablename: 'note' }]);
  });

  it('outside of a transaction it is left to a person', async () => {
    class Outside1700000001000 implements MigrationInterface {
      readonly transaction = false;
      async up(queryRunner: QueryRunner): Promise<void> {
        await queryRunner.query('SET search_path = public');
        await queryRunner.query('CREATE TABLE elsewhere (id int)');
      }
      async down(): Promise<void> {}
    }
    const { log } = await start(Outside1700000001000);
    expect(log.errors).toEqual([
      expect.stringMatching(/Outside1700000001000.*it changed search_path to public/),
    ]);
  });
});

describe('A migration that fails says what helps', () => {
  it.each([
    [
      'CREATE INDEX CONCURRENTLY i ON note (text)',
      'goes by itself into a migration that says: readonly transaction = false',
    ],
    ['ALTER TABLE note ADD COLUMN key uuid DEFAULT uuid_generate_v4()', 'listed in sharedSchemas'],
    ['ALTER TABLE note ADD COLUMN mail citext', 'listed in sharedSchemas'],
  ])('%s', async (statement, remedy) => {
    await expect(start(migration('Added1700000001000', statement))).rejects.toMatchObject({
      message: expect.stringContaining(remedy),
    });
  });
});
