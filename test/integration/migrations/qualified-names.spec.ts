import type { MigrationInterface } from 'typeorm';
import type { TenancyOptions } from '../../../lib';
import { CreateNotes1700000000000 } from '../../support/notes';
import type { TestApp } from '../../support/test-app';
import { ownDatabase } from '../provisioning/app';
import { migration } from './written-migrations';

const own = ownDatabase();
const { database } = own;

const start = (
  added: readonly (new () => MigrationInterface)[],
  changes: Partial<TenancyOptions> = {},
): Promise<TestApp> => own.start({ migrations: [CreateNotes1700000000000, ...added], ...changes });

/** As TypeORM 0.3 generated it. */
const generated = migration(
  'AddState1700000001000',
  `CREATE TYPE "public"."note_state_enum" AS ENUM('new', 'paid')`,
  `ALTER TABLE "note" ADD "state" "public"."note_state_enum" NOT NULL DEFAULT 'new'`,
);

describe('A migration of the template that makes something outside of it', () => {
  it('is refused with the line that mends it, and nothing of it is kept', async () => {
    await expect(start([generated])).rejects.toMatchObject({
      code: 'TEMPLATE_MIGRATION_FAILED',
      message: expect.stringMatching(
        /AddState1700000001000 .*it made type public\.note_state_enum outside of the schema "template".*"public"\."note_state_enum" → "note_state_enum"\./,
      ),
    });
    await expect(database.query(`SELECT FROM pg_type WHERE typname = 'note_state_enum'`)).resolves.toEqual(
      [],
    );
  });

  it.each([
    ['a table and its sequence', 'CREATE TABLE public.x (id serial)', 'table public.x'],
    [
      'a function',
      `CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
      'function public.f()',
    ],
    ['in a savepoint', 'SAVEPOINT a; CREATE VIEW public.v AS SELECT 1; RELEASE a', 'view public.v'],
    ['in a schema of its own', 'CREATE SCHEMA other; CREATE TABLE other.x ()', 'table other.x'],
    ['by moving it', 'ALTER TABLE note SET SCHEMA public', 'table public.note'],
    [
      'by a function',
      `DO $$ BEGIN EXECUTE 'CREATE TABLE pub' || 'lic.x ()'; END $$`,
      'table public.x outside of the schema "template". All',
    ],
  ])('%s', async (_case, statement, made) => {
    await expect(start([migration('Stray1700000001000', statement)])).rejects.toMatchObject({
      message: expect.stringContaining(made),
    });
  });

  it('but not for what another session makes there meanwhile, nor for an extension', async () => {
    class Busy1700000001000 implements MigrationInterface {
      async up(): Promise<void> {
        await database.query('CREATE TABLE public.made_by_others (id serial PRIMARY KEY)');
      }
      async down(): Promise<void> {}
    }
    const extension = migration(
      'Ext1700000002000',
      'CREATE SCHEMA IF NOT EXISTS extensions',
      'CREATE EXTENSION IF NOT EXISTS citext SCHEMA extensions',
    );
    const { create } = await start([Busy1700000001000, extension]);
    await create({ slug: 'acme' });
  });
});
