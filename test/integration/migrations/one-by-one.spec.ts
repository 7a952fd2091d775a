import type { MigrationInterface } from 'typeorm';
import { FleetMigrator, InMemoryTenantStore, type TenancyOptions, TenantLifecycle } from '../../../lib';
import { FleetMembers } from '../../../lib/migrations/fleet-members';
import { CreateNotes1700000000000 } from '../../support/notes';
import type { TestApp } from '../../support/test-app';
import { ownDatabase } from '../provisioning/app';
import { migration } from './written-migrations';

const FIRST = [
  CreateNotes1700000000000,
  migration(
    'AddState1700000001000',
    `CREATE TYPE state AS ENUM ('new')`,
    `ALTER TABLE note ADD COLUMN state state`,
  ),
];
/** As TypeORM generates it. */
const SECOND = [...FIRST, migration('AddPaid1700000002000', `ALTER TYPE state ADD VALUE 'paid'`)];
const THIRD = [
  ...SECOND,
  migration('PayAll1700000003000', `UPDATE note SET state = 'paid'`),
  migration('DefaultPaid1700000004000', `ALTER TABLE note ALTER COLUMN state SET DEFAULT 'paid'`),
];

const own = ownDatabase();
const { database } = own;

const start = (
  migrations: readonly (new () => MigrationInterface)[],
  changes: Partial<TenancyOptions> = {},
): Promise<TestApp> => own.start({ migrations: [...migrations], ...changes });

const up = ({ app }: TestApp) => app.get(FleetMigrator).up();

const seen = (table: 'template_migrations' | 'tenant_migrations') =>
  database
    .query<{ name: string }>(`SELECT name FROM tenancy.${table} WHERE name <> 'x' ORDER BY timestamp`)
    .then((rows) => rows.map(({ name }) => name));

describe('Each migration runs in a transaction of its own', () => {
  it('so that a new database gets the value of an enum and what uses it at one start', async () => {
    await start(THIRD);
    await expect(seen('template_migrations')).resolves.toHaveLength(5);
  });

  it('so that a tenant two releases behind is brought to the newest', async () => {
    const first = await start(FIRST);
    const { schemaName } = await first.create({ slug: 'acme' });
    await database.query(`INSERT INTO ${schemaName}.note (text, state) VALUES ('old', 'new')`);
    await start(SECOND);
    const third = await start(THIRD);
    await expect(up(third)).resolves.toMatchObject({ state: 'done', done: 1, failed: [] });
    await database.query(`INSERT INTO ${schemaName}.note (text) VALUES ('new')`);
    await expect(database.query(`SELECT state FROM ${schemaName}.note`)).resolves.toEqual([
      { state: 'paid' },
      { state: 'paid' },
    ]);
    await expect(first.app.get(TenantLifecycle).get('acme')).resolves.toMatchObject({ schemaName });
  });

  it('and those before one that fails stay, in the tenant, in the ledger and beside the tenant', async () => {
    const store = new InMemoryTenantStore();
    const first = await start(FIRST.slice(0, 1), { store });
    const { id, schemaName } = await first.create({ slug: 'acme' });
    await database.query(`INSERT INTO ${schemaName}.note (text) VALUES ('a')`);
    const check = migration('NoNotes1700000003000', `ALTER TABLE note ADD CHECK (text <> 'a')`);
    const risky = await start([...SECOND, check], { store });
    await expect(up(risky)).resolves.toMatchObject({
      state: 'halted',
      failed: [{ slug: 'acme', migration: 'NoNotes1700000003000' }],
    });
    await expect(store.find({ by: 'id', value: id })).resolves.toMatchObject({
      schemaVersion: 'AddPaid1700000002000',
    });
    await expect(
      database.query(`SELECT name FROM tenancy.tenant_migrations WHERE state = 'done' ORDER BY name`),
    ).resolves.toEqual([
      { name: 'AddPaid1700000002000' },
      { name: 'AddState1700000001000' },
      { name: 'CreateNotes1700000000000' },
    ]);
    await database.query(`DELETE FROM ${schemaName}.note`);
    await expect(up(risky)).resolves.toMatchObject({ state: 'done', done: 1 });
  });

  it('and a start that failed goes on where it stopped', async () => {
    const broken = migration('PayAll1700000003000', 'UPDATE nothing SET state = 1');
    await expect(start([...SECOND, broken])).rejects.toThrow(/PayAll1700000003000.*Nothing of it was kept/);
    await expect(seen('template_migrations')).resolves.toEqual([
      'CreateNotes1700000000000',
      'AddState1700000001000',
      'AddPaid1700000002000',
    ]);
    await start(THIRD);
    await expect(seen('template_migrations')).resolves.toHaveLength(5);
  });

  it('but one that leaves what cannot be cloned waits for the one that takes it away', async () => {
    const rows = migration('AddRows1700000001000', `INSERT INTO note (text) VALUES ('seed')`);
    const noRows = migration('DropRows1700000002000', 'DELETE FROM note');
    const more = migration('AddMore1700000003000', `ALTER TABLE note ADD COLUMN more text`);
    await expect(start([CreateNotes1700000000000, rows, more])).rejects.toMatchObject({
      code: 'SCHEMA_NOT_CLONEABLE',
    });
    await expect(seen('template_migrations')).resolves.toEqual(['CreateNotes1700000000000']);
    await start([CreateNotes1700000000000, rows, noRows, more]);
    await expect(seen('template_migrations')).resolves.toHaveLength(4);
  });

  it('and a table of templateData may come with any of them', async () => {
    const fees = migration('AddFees1700000002000', 'CREATE TABLE fee (id int)', 'INSERT INTO fee VALUES (1)');
    const app = await start([...FIRST, fees, migration('X1700000003000', 'SELECT 1')], {
      templateData: ['fee'],
    });
    const { schemaName } = await app.create({ slug: 'acme' });
    await expect(database.query(`SELECT id FROM ${schemaName}.fee`)).resolves.toEqual([{ id: 1 }]);
  });
});

it('A run whose list of tenants breaks off has noted what it has done', async () => {
  const first = await start(FIRST);
  await first.create({ slug: 'acme' });
  await first.create({ slug: 'globex' });
  const { app } = await start(SECOND);
  const members = app.get(FleetMembers);
  const findPages = members.findPages.bind(members);
  jest.spyOn(members, 'findPages').mockImplementation(async function* (...args) {
    for await (const [member] of findPages(...args)) {
      yield [member];
      throw new Error('no other page');
    }
  });
  await expect(app.get(FleetMigrator).up({ concurrency: 1 })).rejects.toThrow('no other page');
  await expect(
    database.query(
      `SELECT slug, schema_version FROM tenancy.tenants t
       JOIN tenancy.tenant_migrations m ON m.tenant_id = t.id AND m.name = 'AddPaid1700000002000'`,
    ),
  ).resolves.toEqual([{ slug: 'acme', schema_version: 'AddPaid1700000002000' }]);
});
