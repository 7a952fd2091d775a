import type { MigrationInterface, QueryRunner } from 'typeorm';
import { type Blueprint, compileBlueprint } from '../../../lib/schema/blueprint';
import { tryBlueprint } from '../../../lib/schema/trial';
import { createTestDatabase } from '../../support/database';
import { schemasOf, startAppOn } from '../provisioning/app';
import { SchemaBench } from './support';

/** The catalogs do not tell that a constant of an array names a table, which comes later by its name. */
const UNFORESEEN = `
  CREATE TABLE first (tables regclass[]);
  CREATE TABLE second (id integer);
  ALTER TABLE first ALTER tables SET DEFAULT '{second}'::regclass[]`;

describe('a trial', () => {
  let bench: SchemaBench;

  beforeAll(async () => {
    bench = await SchemaBench.open();
  });
  afterAll(() => bench.close());

  /** What the trial of a template fails with, and what is left of it in the same transaction. */
  async function trial(script: string, change = (blueprint: Blueprint) => blueprint) {
    await bench.build('template', script);
    return bench.inTransaction(async () => {
      const blueprint = change(await compileBlueprint(bench.executor, 'template'));
      const warnings: string[] = [];
      const error = await tryBlueprint(bench.executor, blueprint, 'tried', (message) =>
        warnings.push(message),
      ).then(
        () => undefined,
        (cause: unknown) => cause,
      );
      const left = await bench.rows(`SELECT FROM pg_namespace WHERE nspname = 'tried'`);
      return { error: error as Error | undefined, left, warnings };
    });
  }

  it('of a template that can be cloned leaves nothing', async () => {
    await expect(trial('CREATE TABLE a (id serial PRIMARY KEY)')).resolves.toEqual({
      error: undefined,
      left: [],
      warnings: [],
    });
  });

  it('names the statement that only PostgreSQL knew would fail', async () => {
    const { error, left } = await trial(
      `${UNFORESEEN}; CREATE TABLE another (id integer); CREATE VIEW v AS SELECT 1 AS x`,
    );
    expect(error).toMatchObject({ code: 'SCHEMA_NOT_CLONEABLE' });
    expect(error?.message).toMatch(/- CREATE TABLE "first" .*: .*relation "second" does not exist/);
    expect(left).toEqual([]);
  });

  it('tells what is not alike, whoever interferes', async () => {
    await bench.executor.query(`
      CREATE FUNCTION public.interfere() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
        IF current_schema() = 'tried' THEN ALTER TABLE a SET (fillfactor = 50); END IF; END $$;
      CREATE EVENT TRIGGER interfere ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.interfere()`);
    const { error, left } = await trial('CREATE TABLE a (id integer)');
    await bench.executor.query('DROP EVENT TRIGGER interfere');
    expect(error).toMatchObject({ code: 'CLONE_NOT_FAITHFUL' });
    expect(error?.message).toContain(
      'The options of the table a is ["fillfactor=50"], and in the template none.',
    );
    expect(left).toEqual([]);
  });

  it('warns of a template whose clones take most of the server’s locks', async () => {
    const [{ room }] = await bench.rows<{ room: number }>(
      `SELECT current_setting('max_locks_per_transaction')::int
              * (current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int) AS room`,
    );
    const many = `SELECT pg_advisory_xact_lock(n) FROM generate_series(1, ${Math.ceil(room * 0.6)}) AS n`;
    const { warnings } = await trial('', (blueprint) => ({ ...blueprint, statements: [many] }));
    expect(warnings).toEqual([expect.stringContaining('Raise max_locks_per_transaction')]);
  });

  it('says nothing against a template when the server lacks resources just now', async () => {
    const full = `DO $$ BEGIN RAISE 'could not extend file' USING ERRCODE = '53100', HINT = 'Buy a disk.'; END $$`;
    const { error, left, warnings } = await trial('', (blueprint) => ({ ...blueprint, statements: [full] }));
    expect(warnings).toEqual([
      'A trial clone of the template could not be made, because the server lacks resources: could not extend file. Buy a disk.',
    ]);
    expect(error).toBeUndefined();
    expect(left).toEqual([]);
  });
});

it('an application does not start with a template that cannot be cloned, and keeps nothing of it', async () => {
  class CreateUnforeseen1700000000001 implements MigrationInterface {
    async up(queryRunner: QueryRunner): Promise<void> {
      await queryRunner.query(UNFORESEEN);
    }
    async down(): Promise<void> {}
  }
  const database = await createTestDatabase();
  await expect(
    startAppOn(database, { entities: [], migrations: [CreateUnforeseen1700000000001] }),
  ).rejects.toMatchObject({
    code: 'SCHEMA_NOT_CLONEABLE',
    message: expect.stringContaining('CREATE TABLE "first"'),
  });
  await expect(database.query(`SELECT FROM pg_namespace WHERE nspname = 'template'`)).resolves.toEqual([]);
  await expect(schemasOf(database)).resolves.toEqual([]);
  const running = await startAppOn(database);
  await expect(running.create({ slug: 'acme' })).resolves.toMatchObject({ status: 'active' });
  await running.close();
  await database.drop();
});
