import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  FleetDrift,
  FleetMigrator,
  type Tenant,
  TenantExport,
  TenantImport,
  TenantProvisioner,
} from '../../../lib';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { CreateNotes1700000000000 } from '../../support/notes';
import type { TestApp } from '../../support/test-app';
import { startAppOn } from './app';

/** Code that PostgreSQL prints otherwise once it is made from its print. */
class CreateOrders1700000001000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE orders (id int PRIMARY KEY, status varchar(20) CHECK (status IN ('new', 'paid')));
      CREATE VIEW open_orders AS SELECT id FROM orders WHERE status IN ('new', 'late')`);
  }

  async down(): Promise<void> {}
}

class AddMonth1700000002000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      'ALTER TABLE orders ADD m int, ADD CONSTRAINT in_year CHECK (m BETWEEN 1 AND 12 AND id > 0)',
    );
  }

  async down(): Promise<void> {}
}

const FIRST = [CreateNotes1700000000000, CreateOrders1700000001000];
const SECOND = [...FIRST, AddMonth1700000002000];

let database: TestDatabase;
let current: TestApp;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await current?.close();
  await database?.drop();
});

async function restart(migrations: typeof SECOND): Promise<void> {
  await current?.close();
  current = await startAppOn(database, { migrations, sweeper: { intervalMs: 0 } });
}

const drift = () => current.app.get(FleetDrift).check();
const create = (slug: string): Promise<Tenant> => current.create({ slug });

it('a template with hand-written code is cloned, and its tenants do not differ from it', async () => {
  await restart(FIRST);
  await create('first');
  await create('second');
  expect(await drift()).toMatchObject({ checked: 2, drifted: 0 });
});

it('the next start need not find out again what clones print', async () => {
  const kept = await database.query('SELECT kept_at FROM tenancy.template_prints');
  await restart(FIRST);
  await create('third');
  expect(await drift()).toMatchObject({ checked: 3, drifted: 0 });
  expect(await database.query('SELECT kept_at FROM tenancy.template_prints')).toEqual(kept);
});

it('tenants that were migrated and tenants that were cloned later do not differ', async () => {
  await restart(SECOND);
  await current.app.get(FleetMigrator).up();
  await create('fourth');
  expect(await drift()).toMatchObject({ checked: 4, drifted: 0 });
});

it('a tenant that was migrated is copied, exported and imported', async () => {
  await current.app.get(TenantProvisioner).clone('first', 'copy');
  const sink = new PassThrough();
  const [file] = await Promise.all([buffer(sink), current.app.get(TenantExport).export('first', sink)]);
  await current.app.get(TenantImport).import(Readable.from([file]), { slug: 'import' });
  expect(await drift()).toMatchObject({ checked: 6, drifted: 0 });
});

it('what really differs is told', async () => {
  const { schemaName } = await create('changed');
  await database.query(
    `SET search_path = ${schemaName}; ALTER TABLE orders DROP CONSTRAINT orders_status_check, ADD CHECK (status IN ('new', 'lost'))`,
  );
  expect(await drift()).toMatchObject({ drifted: 1, tenants: [{ slug: 'changed' }] });
});
