import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { TenantSweeper } from '../../../lib';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import type { TestApp } from '../../support/test-app';
import { schemasOf, startAppOn } from './app';

class CreateTables1700000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TYPE mood AS ENUM ('good', 'bad');
      CREATE TABLE note (id serial PRIMARY KEY, text varchar NOT NULL);
      CREATE TABLE role (id serial PRIMARY KEY, held text, mood mood, about json, at timestamptz DEFAULT now());
      INSERT INTO role (held, mood, about) VALUES ('admin', 'good', '{"a": 1}'), ('user', 'bad', NULL), ('user', 'bad', NULL)`);
  }
  async down(): Promise<void> {}
}

describe('a schema of nobody', () => {
  let database: TestDatabase;
  let app: TestApp;
  let owner: string;

  // Of a role that is no superuser: those see past every policy.
  beforeAll(async () => {
    database = await createTestDatabase();
    owner = `owner_${randomBytes(8).toString('hex')}`;
    const { pathname } = new URL(database.url);
    await database.query(
      `CREATE ROLE ${owner} LOGIN PASSWORD 'secret'; GRANT CREATE ON DATABASE ${pathname.slice(1)} TO ${owner}`,
    );
    app = await startAppOn(database, {
      database: { url: Object.assign(new URL(database.url), { username: owner, password: 'secret' }).href },
      migrations: [CreateTables1700000000000],
      templateData: ['role'],
      sweeper: { intervalMs: 0, orphanAfterMs: 0 },
    });
  });
  afterAll(async () => {
    await app.close();
    await database.query(`DROP OWNED BY ${owner} CASCADE; DROP ROLE ${owner}`);
    await database.drop();
  });
  // What one test leaves is no other's.
  afterEach(async () => {
    for (const name of await schemasOf(database)) await database.query(`DROP SCHEMA ${name} CASCADE`);
  });

  let count = 0;
  /** Of a tenant that the registry has forgotten. */
  async function orphan(sql: (schema: string) => string = () => ''): Promise<string> {
    const { id, schemaName } = await app.create({ slug: `forgotten-${++count}` });
    await database.query('DELETE FROM tenancy.tenant_migrations WHERE tenant_id = $1', [id]);
    await database.query('DELETE FROM tenancy.tenants WHERE id = $1', [id]);
    await database.query(sql(schemaName));
    return schemaName;
  }
  const sweep = async () => (await app.app.get(TenantSweeper).sweep()).orphans;

  it('is dropped when it has no rows but those that it began with', async () => {
    const name = await orphan();
    await expect(sweep()).resolves.toEqual({ dropped: [name], withRows: [], unmarked: [], kept: [] });
    await expect(schemasOf(database)).resolves.toEqual([]);
  });

  it.each<[string, (schema: string) => string]>([
    ['a row', (schema) => `INSERT INTO ${schema}.note (text) VALUES ('mine')`],
    [
      'rows that a forced policy hides from the owner',
      (schema) => `INSERT INTO ${schema}.note (text) SELECT 'mine' FROM generate_series(1, 1000);
        ALTER TABLE ${schema}.note ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY`,
    ],
    [
      'a row of its own in a table of templateData',
      (schema) => `INSERT INTO ${schema}.role (held) VALUES ('mine')`,
    ],
    [
      'one more of a row that it began with',
      (schema) => `ALTER TABLE ${schema}.role DROP CONSTRAINT role_pkey;
        INSERT INTO ${schema}.role SELECT * FROM ${schema}.role LIMIT 1`,
    ],
    ['a changed row of templateData', (schema) => `UPDATE ${schema}.role SET mood = 'good' WHERE id = 2`],
    [
      'hidden rows in a table of templateData',
      (schema) => `INSERT INTO ${schema}.role (held) VALUES ('mine');
        ALTER TABLE ${schema}.role ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY`,
    ],
    [
      'a row in a table that the template does not have',
      (schema) => `CREATE TABLE ${schema}.more AS SELECT 1 AS id`,
    ],
  ])('is kept with %s', async (_case, sql) => {
    const name = await orphan(sql);
    await expect(sweep()).resolves.toEqual({ dropped: [], withRows: [name], unmarked: [], kept: [] });
    await expect(schemasOf(database)).resolves.toEqual([name]);
  });

  it('is left alone while somebody is writing to it, and kept when that was committed', async () => {
    const name = await orphan();
    const writer = new Client({ connectionString: database.url });
    await writer.connect();
    await writer.query(`BEGIN; INSERT INTO ${name}.note (text) VALUES ('mine')`);
    await expect(sweep()).resolves.toEqual({ dropped: [], withRows: [], unmarked: [], kept: [] });
    const sweeping = sweep();
    const isWaiting = async () =>
      (
        await database.query(`SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
          WHERE d.datname = current_database() AND l.locktype = 'relation' AND NOT l.granted`)
      ).length > 0;
    while (!(await isWaiting()));
    await writer.query('COMMIT');
    await writer.end();
    await expect(sweeping).resolves.toEqual({ dropped: [], withRows: [name], unmarked: [], kept: [] });
  });

  it('is seen by the first sweep, though it was noted within the same millisecond', async () => {
    for (let i = 0; i < 15; i++) {
      const name = await orphan();
      await expect(sweep()).resolves.toMatchObject({ dropped: [name] });
    }
  });
});
