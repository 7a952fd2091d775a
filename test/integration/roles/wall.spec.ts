import type { PoolClient } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import Cursor from 'pg-cursor';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import type { Tenant } from '../../../lib';
import { Note } from '../../support/notes';
import { REFUSED, type RolesApp, startRolesApp } from './app';

describe('with roles: true', () => {
  let running: RolesApp;
  let acme: Tenant;
  let globex: Tenant;

  beforeAll(async () => {
    running = await startRolesApp({
      migrations: [
        class Create1700000000000 {
          async up(queryRunner: { query(sql: string): Promise<unknown> }): Promise<void> {
            await queryRunner.query(`
              CREATE TABLE note (id serial PRIMARY KEY, text varchar NOT NULL);
              CREATE VIEW texts AS SELECT text FROM note;
              CREATE FUNCTION count_notes() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM note';
              CREATE PROCEDURE add_note(text) LANGUAGE sql AS 'INSERT INTO note (text) VALUES ($1)';
              CREATE FUNCTION definer(query text) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS
                $$ DECLARE found bigint; BEGIN EXECUTE query INTO found; RETURN found; END $$`);
          }
          async down(): Promise<void> {}
        },
      ],
    });
    acme = await running.create({ slug: 'acme' });
    globex = await running.create({ slug: 'globex' });
    for (const tenant of [acme, globex])
      await running.as(tenant, 'INSERT INTO note (text) VALUES ($1)', [tenant.slug]);
  });
  afterAll(() => running.close());

  const ownNotes = () => running.as(acme, 'SELECT text FROM note');

  const withClient = <T>(work: (client: PoolClient) => Promise<T>) => running.withClient(acme, work);

  const refusedBy = (work: Promise<unknown>) => expect(work).rejects.toMatchObject({ code: '42501' });

  it('runs each statement as the tenant’s own role, which owns nothing', async () => {
    await expect(running.as(acme, 'SELECT current_user AS who, session_user AS login')).resolves.toEqual([
      { who: acme.schemaName, login: running.database.login },
    ]);
    await expect(
      running.database.query(`SELECT relname FROM pg_class WHERE relowner = $1::regrole`, [acme.schemaName]),
    ).resolves.toEqual([]);
  });

  it('lets a tenant do with its own rows whatever it could without', async () => {
    const work = async () => {
      const repository = running.tenants.getRepository(Note);
      const saved = await repository.save({ text: 'new' });
      await repository.update(saved.id, { text: 'changed' });
      await running.tenants.query('CALL add_note($1)', ['called']);
      await running.tenants.query(`SELECT setval('note_id_seq', 100)`);
      expect(await running.tenants.query('SELECT count_notes()::int AS n')).toEqual([{ n: 3 }]);
      expect(await running.tenants.query('SELECT text FROM texts ORDER BY text')).toHaveLength(3);
      await repository.clear();
      await running.tenants.transaction((manager) => manager.insert(Note, { text: 'acme' }));
    };
    await running.context.run(acme, work);
    await expect(ownNotes()).resolves.toEqual([{ text: 'acme' }]);
  });

  it.each([
    ['read', (schema: string) => `SELECT * FROM ${schema}.note`],
    ['written', (schema: string) => `INSERT INTO ${schema}.note (text) VALUES ('stolen')`],
    ['changed', (schema: string) => `UPDATE ${schema}.note SET text = 'stolen'`],
    ['deleted', (schema: string) => `DELETE FROM ${schema}.note`],
    ['truncated', (schema: string) => `TRUNCATE ${schema}.note`],
    ['locked', (schema: string) => `LOCK TABLE ${schema}.note`],
    ['read through a view', (schema: string) => `SELECT * FROM ${schema}.texts`],
    ['read by a function', (schema: string) => `SELECT ${schema}.count_notes()`],
    ['written by a procedure', (schema: string) => `CALL ${schema}.add_note('stolen')`],
    ['counted by a sequence', (schema: string) => `SELECT nextval('${schema}.note_id_seq')`],
    ['dropped', (schema: string) => `DROP TABLE ${schema}.note`],
    ['given away', (schema: string) => `GRANT ALL ON ${schema}.note TO PUBLIC`],
    [
      'reached by a path of one’s own',
      (schema: string) => `SET LOCAL search_path = ${schema}; SELECT * FROM note`,
    ],
  ])('another tenant’s rows cannot be %s, though the statement names its schema', async (_how, sql) => {
    const wanted = sql(globex.schemaName);
    const refusal = running.context.run(acme, () =>
      running.tenants.transaction((manager) => manager.query(wanted)),
    );
    // Where USAGE is missing, PostgreSQL does not even look for the table.
    await expect(refusal).rejects.toMatchObject({
      driverError: { code: expect.stringMatching(/^(?:42501|42P01)$/) },
    });
    await expect(running.as(globex, 'SELECT text FROM note')).resolves.toEqual([{ text: 'globex' }]);
  });

  it('refuses DDL in the tenant’s own schema, which is for migrations', async () => {
    for (const sql of [
      'CREATE TABLE mine (id int)',
      'ALTER TABLE note ADD COLUMN more text',
      'DROP TABLE note',
      `CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
      'CREATE TRIGGER t AFTER INSERT ON note EXECUTE FUNCTION count_notes()',
    ])
      await expect(running.as(acme, sql)).rejects.toEqual(REFUSED);
  });

  it('keeps the registry and the template from tenants, and from the login role', async () => {
    for (const sql of ['SELECT * FROM tenancy.tenants', 'SELECT * FROM template.note']) {
      await expect(running.as(acme, sql)).rejects.toEqual(REFUSED);
      await expect(
        running.context.runAsSystem((): Promise<unknown> => running.tenants.query(sql)),
      ).rejects.toEqual(REFUSED);
    }
  });

  it('gives the login role by itself no right on any tenant', async () => {
    const asSystem = (sql: string) =>
      running.context.runAsSystem(() => running.tenants.query<unknown[]>(sql));
    await expect(asSystem('SELECT current_user AS who')).resolves.toEqual([{ who: running.database.login }]);
    await expect(asSystem(`SELECT * FROM ${acme.schemaName}.note`)).rejects.toEqual(REFUSED);
  });

  it('does the owner’s work on a data source of its own', async () => {
    const asOwner = (sql: string) => running.context.runAsSystem(() => running.admin.query<unknown[]>(sql));
    await expect(asOwner('SELECT current_user AS who')).resolves.toEqual([{ who: running.database.admin }]);
    await expect(asOwner(`VACUUM ${acme.schemaName}.note`)).resolves.toBeDefined();
  });

  it('hides what other sessions run, though all have one login', async () => {
    const seen = await withClient(async (client) => {
      await client.query('BEGIN');
      await client.query(`SELECT 'secret of acme'`);
      const rows = await running.as<{ query: string }>(
        globex,
        'SELECT query FROM pg_stat_activity WHERE usename = session_user AND pid <> pg_backend_pid()',
      );
      await client.query('ROLLBACK');
      return new Set(rows.map(({ query }) => query));
    });
    expect(seen).toEqual(new Set(['<insufficient privilege>']));
  });

  describe('by every kind of statement', () => {
    const theirs = () => `${globex.schemaName}.note`;

    it('a transaction', async () => {
      await withClient(async (client) => {
        await client.query('BEGIN');
        await expect(client.query('SELECT text FROM note')).resolves.toMatchObject({
          rows: [{ text: 'acme' }],
        });
        await refusedBy(client.query(`SELECT * FROM ${theirs()}`));
        await client.query('ROLLBACK');
      });
    });

    it('several statements in one text', async () => {
      await withClient((client) => refusedBy(client.query(`SELECT 1; SELECT * FROM ${theirs()}`)));
    });

    it('a prepared statement, whose name tenants share', async () => {
      const named = { name: 'all-notes', text: 'SELECT text FROM note' };
      for (const tenant of [acme, globex, acme]) {
        const rows = await running.context.run(tenant, async () => {
          const queryRunner = running.tenants.createQueryRunner();
          const client = (await queryRunner.connect()) as PoolClient;
          return client.query(named).finally(() => queryRunner.release());
        });
        expect(rows.rows).toEqual([{ text: tenant.slug }]);
      }
      await withClient((client) =>
        refusedBy(client.query({ name: 'theirs', text: `SELECT * FROM ${theirs()}` })),
      );
    });

    it('a cursor', async () => {
      await withClient(async (client) => {
        const cursor = client.query(new Cursor<{ text: string }>('SELECT text FROM note'));
        await expect(cursor.read(10)).resolves.toEqual([{ text: 'acme' }]);
        await cursor.close();
        await refusedBy(client.query(new Cursor(`SELECT * FROM ${theirs()}`)).read(10));
      });
    });

    it('COPY, both ways', async () => {
      await withClient(async (client) => {
        const chunks: string[] = [];
        for await (const chunk of client.query(copyTo('COPY note (text) TO STDOUT')))
          chunks.push(String(chunk));
        expect(chunks.join('')).toBe('acme\n');
      });
      await withClient(async (client) => {
        await refusedBy(client.query(copyTo(`COPY ${theirs()} TO STDOUT`)).toArray());
      });
      await withClient(async (client) => {
        const sink = client.query(copyFrom(`COPY ${theirs()} (text) FROM STDIN`));
        await refusedBy(pipeline(Readable.from(['stolen\n']), sink));
      });
      await expect(running.as(globex, 'SELECT text FROM note')).resolves.toEqual([{ text: 'globex' }]);
    });
  });

  describe('what is not stopped, because whoever logged in may become any tenant', () => {
    it('SET ROLE to another tenant, in a transaction of one’s own', async () => {
      await withClient(async (client) => {
        await client.query('BEGIN');
        await client.query(`SET LOCAL ROLE ${globex.schemaName}`);
        await expect(client.query(`SELECT text FROM ${globex.schemaName}.note`)).resolves.toMatchObject({
          rows: [{ text: 'globex' }],
        });
        await client.query('ROLLBACK');
      });
    });

    it('the same inside one statement', async () => {
      const [{ xml }] = await running.as<{ xml: string }>(
        acme,
        `SELECT query_to_xml('SELECT text FROM ${globex.schemaName}.note', true, true, '')::text AS xml
         FROM (SELECT set_config('role', '${globex.schemaName}', true) OFFSET 0) AS changed`,
      );
      expect(xml).toContain('globex');
    });

    it('a SECURITY DEFINER function that runs what it is given, since its owner owns all', async () => {
      await expect(
        running.as(acme, `SELECT definer('SELECT count(*) FROM ${globex.schemaName}.note')::int AS n`),
      ).resolves.toEqual([{ n: 1 }]);
    });
  });

  describe('of what a session keeps', () => {
    it.each([
      ['RESET ROLE', (_schema: string) => 'RESET ROLE'],
      ['SET ROLE NONE', (_schema: string) => 'SET ROLE NONE'],
      ['RESET SESSION AUTHORIZATION', (_schema: string) => 'RESET SESSION AUTHORIZATION'],
      ['SET ROLE to another tenant', (schema: string) => `SET ROLE ${schema}`],
      ['set_config', (schema: string) => `SELECT set_config('role', '${schema}', false)`],
    ])('%s reaches nobody who comes next', async (_what, sql) => {
      await withClient((client) => client.query(sql(globex.schemaName)));
      const who = await Promise.all(
        Array.from({ length: 10 }, () => running.as(acme, 'SELECT current_user AS who')),
      );
      expect(who.flat()).toEqual(Array(10).fill({ who: acme.schemaName }));
    });

    it('RESET ROLE in the middle of a transaction leaves no right on any table', async () => {
      await withClient(async (client) => {
        await client.query('BEGIN');
        await client.query('RESET ROLE');
        await refusedBy(client.query(`SELECT * FROM ${acme.schemaName}.note`));
        await client.query('ROLLBACK');
      });
    });

    it('SET SESSION AUTHORIZATION to anybody else is refused', async () => {
      await withClient((client) =>
        refusedBy(client.query(`SET SESSION AUTHORIZATION ${running.database.admin}`)),
      );
      await withClient((client) => refusedBy(client.query(`SET SESSION AUTHORIZATION ${globex.schemaName}`)));
    });

    it('SET ROLE to the owner is refused', async () => {
      await withClient((client) => refusedBy(client.query(`SET ROLE ${running.database.admin}`)));
    });

    it('a temporary table is the tenant’s alone', async () => {
      await withClient(async (client) => {
        await client.query('BEGIN');
        await client.query(`CREATE TEMP TABLE mine AS SELECT 'acme' AS text`);
        await expect(client.query('SELECT text FROM mine')).resolves.toMatchObject({
          rows: [{ text: 'acme' }],
        });
        await client.query('ROLLBACK');
      });
      await expect(running.as(globex, 'SELECT * FROM mine')).rejects.toMatchObject({
        driverError: { code: '42P01' },
      });
    });

    it('a role that a function leaves in the session is not that of the next statement', async () => {
      await withClient(async (client) => {
        await client.query(`DO $$ BEGIN EXECUTE 'SET ROLE ${globex.schemaName}'; END $$`);
        await expect(client.query('SELECT current_user AS who')).resolves.toMatchObject({
          rows: [{ who: acme.schemaName }],
        });
      });
    });
  });
});
