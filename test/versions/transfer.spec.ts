import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { TenantExport, TenantImport } from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { EVERY_OBJECT, SURROUNDINGS } from '../support/every-object/every-object';
import { type EnvironmentName, VARIABLES, type VariablesByEnvironment } from '../support/system/environments';
import type { TestApp } from '../support/test-app';
import { startAppOn } from '../integration/provisioning/app';

class CreateEverything1700000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(Object.values(EVERY_OBJECT).join('\n'));
    await queryRunner.query(
      'CREATE TABLE kept (id integer GENERATED ALWAYS AS IDENTITY, span interval, list text[])',
    );
  }

  async down(): Promise<void> {}
}

interface Side {
  readonly database: TestDatabase;
  readonly app: TestApp;
}

const sides: Side[] = [];

async function startOn(environment: EnvironmentName): Promise<Side> {
  const variables = JSON.parse(process.env[VARIABLES]!) as VariablesByEnvironment;
  process.env.TEST_SERVER_URL = variables[environment].TEST_SERVER_URL;
  const database = await createTestDatabase();
  for (const statement of SURROUNDINGS) await database.query(statement);
  const side = { database, app: await startAppOn(database, { migrations: [CreateEverything1700000000000] }) };
  sides.push(side);
  return side;
}

afterAll(async () => {
  // Their databases go with the servers, which are this run's own.
  for (const { app } of sides) await app.close();
});

async function exported({ app }: Side, slug: string): Promise<Buffer> {
  const sink = new PassThrough();
  const [bytes] = await Promise.all([buffer(sink), app.app.get(TenantExport).export(slug, sink)]);
  return bytes;
}

it('a tenant with every kind of object moves from PostgreSQL 15 to 18, and never back', async () => {
  const [old, new_] = [await startOn('PostgreSQL 15'), await startOn('PostgreSQL 18')];
  const { schemaName } = await old.app.create({ slug: 'acme' });
  await old.database.query(
    `INSERT INTO ${schemaName}.kept (span, list) VALUES ('1 year 2 days 03:04:05', ARRAY['a,b', NULL]), (NULL, '{}')`,
  );
  const imports = new_.app.app.get(TenantImport);
  const { tenant, verification } = await imports.import(Readable.from([await exported(old, 'acme')]));
  expect(verification).toBe('objects');
  const rows = (name: string) => `SELECT kept::text FROM ${name}.kept ORDER BY id`;
  expect(await new_.database.query(rows(tenant.schemaName))).toEqual(
    await old.database.query(rows(schemaName)),
  );
  const back = old.app.app
    .get(TenantImport)
    .import(Readable.from([await exported(new_, 'acme')]), { slug: 'back' });
  await expect(back).rejects.toMatchObject({
    code: 'EXPORT_FILE_INVALID',
    message: expect.stringContaining('Import it into 18 or newer'),
  });
});
