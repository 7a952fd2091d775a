import { MigrationInterface, QueryRunner } from 'typeorm';
import { fromHeader, type TenancyOptions, TenancyModule } from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { CreateNotes1700000000000, Note, notesOptions } from '../support/notes';
import { startTestApp, type TestApp } from '../support/test-app';

describe('the start of an application', () => {
  let database: TestDatabase;
  const apps: TestApp[] = [];

  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(async () => {
    for (const running of apps.splice(0)) await running.close();
    await database.drop();
  });

  async function start(changes: Partial<TenancyOptions> = {}): Promise<TestApp> {
    const running = await startTestApp({ imports: [TenancyModule.forRoot(notesOptions(database, changes))] });
    apps.push(running);
    return running;
  }

  async function restart(changes: Partial<TenancyOptions> = {}): Promise<TestApp> {
    for (const running of apps.splice(0)) await running.close();
    return start(changes);
  }

  /** Schemas besides PostgreSQL's own, each with its tables. */
  async function schemas(): Promise<Record<string, string[]>> {
    const rows = await database.query<{ schema: string; tables: string[] }>(
      `SELECT nspname AS schema, array_remove(array_agg(relname::text ORDER BY relname), NULL) AS tables
       FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r'
       WHERE nspname !~ '^(pg_|information_schema$|public$)' GROUP BY nspname`,
    );
    return Object.fromEntries(rows.map(({ schema, tables }) => [schema, tables]));
  }

  const ledger = () => database.query('SELECT name FROM tenancy.template_migrations ORDER BY timestamp');

  it('makes registry and template in an empty database', async () => {
    await start();
    const { tenancy, template, ...others } = await schemas();
    expect(tenancy).toEqual(expect.arrayContaining(['tenants', 'tenant_domains', 'template_migrations']));
    expect(template).toEqual(expect.arrayContaining(['note']));
    expect(others).toEqual({});
    expect(await ledger()).toEqual([{ name: 'CreateNotes1700000000000' }]);
  });

  it('works without migrations and entities: tenants get empty schemas', async () => {
    const { create } = await start({ entities: [], migrations: undefined });
    const { schemaName } = await create({ slug: 'acme' });
    expect(await schemas()).toMatchObject({ [schemaName]: [] });
  });

  it('changes nothing the second time, and serves the tenants of the first', async () => {
    const { create } = await start();
    await create({ slug: 'acme' });
    const before = [await schemas(), await ledger()];
    const { log } = await restart();
    expect([await schemas(), await ledger()]).toEqual(before);
    expect(log.warnings).toEqual([]);
    await start({ registry: { migrate: false }, migrateTemplate: false });
  });

  it('with new migrations runs only these, on the template only, and says that tenants lack them', async () => {
    class AddAuthor1700000000001 implements MigrationInterface {
      async up(queryRunner: QueryRunner) {
        await queryRunner.query('ALTER TABLE note ADD author text');
      }
      async down() {}
    }
    const first = await start();
    const old = await first.create({ slug: 'old' });
    const { create, log } = await restart({ migrations: [AddAuthor1700000000001, CreateNotes1700000000000] });
    const young = await create({ slug: 'young' });
    const columns = async (schema: string) =>
      (
        await database.query<{ name: string }>(
          `SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 ORDER BY attnum`,
          [`${schema}.note`],
        )
      ).map(({ name }) => name);
    expect(await columns('template')).toEqual(['id', 'text', 'author']);
    expect(await columns(young.schemaName)).toEqual(['id', 'text', 'author']);
    expect(await columns(old.schemaName)).toEqual(['id', 'text']);
    expect(young.templateVersion).not.toBe(old.templateVersion);
    expect(log.warnings).toEqual([expect.stringContaining('Tenants that were made before')]);
  });

  it('is refused with every bad option named', async () => {
    const bad = {
      entities: undefined,
      resolvers: [],
      typeorm: { synchronize: true },
    } as unknown as TenancyOptions;
    await expect(start(bad)).rejects.toMatchObject({
      code: 'TENANCY_OPTIONS_INVALID',
      problems: ['entities', 'resolvers', 'typeorm.synchronize'].map((field) => ({
        field,
        message: expect.any(String),
      })),
    });
    expect(await schemas()).toEqual({});
  });

  it('is refused when the registry is not migrated and must not be: nothing is made', async () => {
    await expect(start({ registry: { migrate: false } })).rejects.toMatchObject({
      code: 'REGISTRY_NOT_MIGRATED',
      message:
        'The schema "tenancy" has no registry yet. Run "tenancy migrate up" once as a step of the deployment, or let an instance ' +
        'make it when it starts.',
    });
    expect(await schemas()).toEqual({});
  });

  it('is refused when the template is behind and must not be migrated: its migrations are named, nothing is made', async () => {
    await expect(start({ migrateTemplate: false })).rejects.toMatchObject({
      code: 'TEMPLATE_BEHIND',
      message: expect.stringContaining('CreateNotes1700000000000'),
    });
    expect(await schemas()).not.toHaveProperty('template');
    await restart();
  });

  it('needs no right to create schemas once they are there', async () => {
    const url = new URL(database.url);
    const name = url.pathname.slice(1);
    const role = `app_${name}`;
    [url.username, url.password] = [role, 'pw'];
    const asRole = { database: { url: url.href, connectAttempts: 1 } };
    await database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'pw'`);
    try {
      await database.query(`GRANT CREATE ON DATABASE ${name} TO ${role}`);
      await start(asRole);
      await database.query(`REVOKE CREATE ON DATABASE ${name} FROM ${role}`);
      const { create } = await restart(asRole);
      await expect(create({ slug: 'acme' })).rejects.toMatchObject({
        code: 'PROVISIONING_FAILED',
        message: expect.stringContaining('permission denied'),
      });
    } finally {
      for (const running of apps.splice(0)) await running.close();
      await database.query(`DROP OWNED BY ${role}`);
      await database.query(`DROP ROLE ${role}`);
    }
  });

  describe('with a migration', () => {
    const failing = (name: string, up: (queryRunner: QueryRunner) => Promise<unknown>) =>
      class implements MigrationInterface {
        name = name;
        async up(queryRunner: QueryRunner) {
          await queryRunner.query('CREATE TABLE half_done (id int)');
          await up(queryRunner);
        }
        async down() {}
      };

    it.each<[string, ReturnType<typeof failing>, string, string]>([
      [
        'that fails',
        failing('Broken1700000000001', (queryRunner) => queryRunner.query('CREATE TABLE')),
        'TEMPLATE_MIGRATION_FAILED',
        'Broken1700000000001 cannot build the template: syntax error',
      ],
      [
        'that throws what is no error',
        failing('Thrower1700000000001', () => Promise.reject('no')), // eslint-disable-line @typescript-eslint/prefer-promise-reject-errors
        'TEMPLATE_MIGRATION_FAILED',
        'Thrower1700000000001 cannot build the template: no',
      ],
      [
        'that rolls back',
        failing('Undoer1700000000001', (queryRunner) => queryRunner.rollbackTransaction()),
        'TEMPLATE_MIGRATION_FAILED',
        'Undoer1700000000001 cannot build the template: it ended the transaction',
      ],
      [
        'without a timestamp',
        failing('Timeless', () => Promise.resolve()),
        'TEMPLATE_MIGRATION_FAILED',
        'Timeless cannot build the template: its name must end with a 13-digit timestamp',
      ],
      [
        'whose name another has',
        failing('CreateNotes1700000000000', () => Promise.resolve()),
        'TEMPLATE_MIGRATION_FAILED',
        'CreateNotes1700000000000 cannot build the template: two migrations have this name',
      ],
      [
        'that makes what cannot be cloned',
        failing('Shell1700000000001', (queryRunner) => queryRunner.query('CREATE TYPE amount')),
        'SCHEMA_NOT_CLONEABLE',
        'amount',
      ],
      [
        'that uses the tables of public',
        failing('Stray1700000000001', (queryRunner) => queryRunner.query('SELECT * FROM elsewhere')),
        'TEMPLATE_MIGRATION_FAILED',
        'relation "elsewhere" does not exist',
      ],
    ])('%s it stops by name, and keeps nothing of it', async (_case, Migration, code, message) => {
      await database.query('CREATE TABLE public.elsewhere (id int)');
      const migrations = [CreateNotes1700000000000, Migration];
      await expect(start({ migrations })).rejects.toMatchObject({
        code,
        message: expect.stringContaining(message),
      });
      expect((await schemas()).template ?? []).not.toContain('half_done');
      // What a name says is known before anything runs.
      expect(await ledger()).toEqual(message.includes('name') ? [] : [{ name: 'CreateNotes1700000000000' }]);
      await restart();
      expect((await schemas()).template).toEqual(expect.arrayContaining(['note']));
    });

    it.each([
      ['COMMIT', (queryRunner: QueryRunner) => queryRunner.query('COMMIT')],
      ['commitTransaction()', (queryRunner: QueryRunner) => queryRunner.commitTransaction()],
      [
        'COMMIT and BEGIN',
        async (queryRunner: QueryRunner) => {
          await queryRunner.query('COMMIT');
          await queryRunner.query('BEGIN');
        },
      ],
    ])('that says %s it stops by name, and says that something was kept', async (_case, up) => {
      const Committer = failing('Committer1700000000001', up);
      await expect(start({ migrations: [CreateNotes1700000000000, Committer] })).rejects.toMatchObject({
        code: 'TEMPLATE_MIGRATION_FAILED',
        message: expect.stringMatching(
          /Committer1700000000001 .* it ended the transaction .* undo it there/s,
        ),
      });
      expect(await ledger()).toEqual([{ name: 'CreateNotes1700000000000' }]);
    });

    it('that fails on a template in use it stops, and leaves template and tenants as they were', async () => {
      const { create } = await start();
      await create({ slug: 'acme' });
      const before = [await schemas(), await ledger()];
      const Broken = failing('Broken1700000000001', (queryRunner) => queryRunner.query('DROP TABLE nothing'));
      await expect(restart({ migrations: [CreateNotes1700000000000, Broken] })).rejects.toMatchObject({
        code: 'TEMPLATE_MIGRATION_FAILED',
      });
      expect([await schemas(), await ledger()]).toEqual(before);
    });
  });

  it('works for ten instances at once on an empty database: one registry, one template, and all create tenants', async () => {
    const migrated: string[] = [];
    class Counted1700000000001 implements MigrationInterface {
      async up(queryRunner: QueryRunner) {
        migrated.push('once');
        await queryRunner.query('CREATE TABLE counted (id int)');
      }
      async down() {}
    }
    await Promise.all(
      Array.from({ length: 10 }, () =>
        start({
          database: { url: database.url, connectAttempts: 1, poolSize: 2 },
          migrations: [CreateNotes1700000000000, Counted1700000000001],
        }),
      ),
    );
    expect(apps).toHaveLength(10);
    expect(migrated).toEqual(['once']);
    expect(await ledger()).toEqual([{ name: 'CreateNotes1700000000000' }, { name: 'Counted1700000000001' }]);
    expect(
      await database.query('SELECT name FROM tenancy.registry_migrations GROUP BY name HAVING count(*) > 1'),
    ).toEqual([]);
    expect(Object.keys(await schemas()).sort()).toEqual(['template', 'tenancy']);

    const made = await Promise.all(apps.map(({ create }, i) => create({ slug: `shop-${i}` })));
    expect(new Set(made.map(({ templateVersion }) => templateVersion)).size).toBe(1);
    expect(Object.keys(await schemas())).toHaveLength(12);
  });

  it('takes entities and migrations as TypeORM does: lists of classes, or modules', async () => {
    const { create } = await startTestApp({
      imports: [
        TenancyModule.forRoot({
          database: { url: database.url, connectAttempts: 1 },
          entities: { Note },
          migrations: { CreateNotes1700000000000 },
          resolvers: [fromHeader('x-tenant-id')],
        }),
      ],
    }).then((running) => {
      apps.push(running);
      return running;
    });
    const { schemaName } = await create({ slug: 'acme' });
    expect((await schemas())[schemaName]).toEqual(expect.arrayContaining(['note']));
  });
});
