import { DataSource } from 'typeorm';
import {
  assertRegistryMigrated,
  migrateRegistry,
  REGISTRY_MIGRATION_LOCK,
} from '../../../lib/registry/migrate-registry';
import { KNOWN_MIGRATIONS } from '../../../lib/cli/doctor/known-migrations';
import { isKnownMigration } from '../../../lib/registry/registry-migrations';
import { openRegistry, registryOptions } from '../../../lib/registry/registry';
import type { RegistryOptions } from '../../../lib/registry/registry';
import { TypeOrmTenantStore } from '../../../lib/registry/store/typeorm-tenant.store';
import { createTestDatabase } from '../../support/database';
import type { TestDatabase } from '../../support/database';
import { CORE_TABLES } from './module-tables';

let database: TestDatabase;
const opened: DataSource[] = [];

async function connect(options: RegistryOptions = {}): Promise<DataSource> {
  const registry = new DataSource(registryOptions({ url: database.url, ...options }));
  opened.push(await registry.initialize());
  return registry;
}

async function tablesOf(schema: string): Promise<string[]> {
  const rows = await database.query<{ tablename: string }>(
    'SELECT tablename FROM pg_tables WHERE schemaname = $1 ORDER BY 1',
    [schema],
  );
  return rows.map(({ tablename }) => tablename);
}

const MIGRATIONS = registryOptions({}).migrations as readonly unknown[];

beforeEach(async () => {
  database = await createTestDatabase();
});

afterEach(async () => {
  for (const registry of opened.splice(0)) if (registry.isInitialized) await registry.destroy();
  await database?.drop();
});

it('makes the registry in its own schema and nothing elsewhere', async () => {
  await migrateRegistry(await connect());
  expect(await tablesOf('tenancy')).toEqual(CORE_TABLES);
  expect(await tablesOf('public')).toEqual([]);
});

it('may be run again: what is there stays', async () => {
  const registry = await connect();
  await migrateRegistry(registry);
  await database.query(`INSERT INTO tenancy.tenants (id, slug, name, schema_name, status)
    VALUES ('01900000-0000-7000-8000-000000000001', 'acme', 'Acme', 't_acme', 'active')`);
  await migrateRegistry(registry);
  await migrateRegistry(await connect());
  expect(await new TypeOrmTenantStore(registry).find({ by: 'slug', value: 'acme' })).toMatchObject({
    name: 'Acme',
  });
  expect(await database.query('SELECT name FROM tenancy.registry_migrations')).toHaveLength(
    MIGRATIONS.length,
  );
});

it.each(['read committed', 'repeatable read'])(
  'is made once when ten instances start at once and transactions are %s by default',
  async (isolation) => {
    const name = new URL(database.url).pathname.slice(1);
    await database.query(`ALTER DATABASE ${name} SET default_transaction_isolation = '${isolation}'`);
    const instances = await Promise.all(Array.from({ length: 10 }, () => connect()));
    await Promise.all(instances.map((instance) => migrateRegistry(instance)));
    expect(await database.query('SELECT name FROM tenancy.registry_migrations')).toHaveLength(
      MIGRATIONS.length,
    );
    expect(await tablesOf('tenancy')).toEqual(CORE_TABLES);
  },
);

it('waits for the documented lock, and leaves it', async () => {
  const registry = await connect();
  const holder = (await connect()).createQueryRunner();
  await holder.startTransaction();
  await holder.query('SELECT pg_advisory_xact_lock($1)', [REGISTRY_MIGRATION_LOCK]);
  const migration = migrateRegistry(registry);
  const waiting = `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
  while ((await database.query(waiting)).length === 0);
  expect(await tablesOf('tenancy')).toEqual([]);
  await holder.commitTransaction();
  await holder.release();
  await migration;
  expect(await tablesOf('tenancy')).toEqual(CORE_TABLES);
  expect(
    await database.query(`SELECT 1 FROM pg_locks WHERE locktype = 'advisory'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`),
  ).toEqual([]);
});

it('leaves nothing behind when a migration fails, and works once the cause is gone', async () => {
  await database.query('CREATE SCHEMA tenancy CREATE TABLE template_migrations ()');
  const registry = await connect();
  await expect(migrateRegistry(registry)).rejects.toMatchObject({ code: '42P07' });
  expect(await tablesOf('tenancy')).toEqual(['template_migrations']);
  await database.query('DROP TABLE tenancy.template_migrations');
  await migrateRegistry(registry);
  expect(await tablesOf('tenancy')).toEqual(CORE_TABLES);
});

it('needs no right to make schemas where the schema is there already', async () => {
  const role = `registry_${new URL(database.url).pathname.slice(-8)}`;
  await database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
  await database.query(`CREATE SCHEMA tenancy AUTHORIZATION ${role}`);
  const url = new URL(database.url);
  url.username = role;
  url.password = 'secret';
  const registry = await connect({ url: url.href });
  try {
    await migrateRegistry(registry);
    expect(await tablesOf('tenancy')).toEqual(CORE_TABLES);
  } finally {
    await registry.destroy();
    await database.query(`DROP OWNED BY ${role}`);
    await database.query(`DROP ROLE ${role}`);
  }
});

it('finds its tables whatever the search path is', async () => {
  for (const path of ['', 'tenancy', 'decoy, public', 'pg_temp']) {
    const other = await createTestDatabase();
    const name = new URL(other.url).pathname.slice(1);
    await other.query(`CREATE SCHEMA decoy CREATE TABLE tenants (id uuid, slug text, status text)`);
    await other.query(`ALTER DATABASE ${name} SET search_path = ${path || "''"}`);
    const registry = new DataSource(registryOptions({ url: other.url }));
    await openRegistry(registry);
    await openRegistry(registry, { migrate: false });
    expect(await new TypeOrmTenantStore(registry).list({ limit: 1 })).toEqual([]);
    await registry.destroy();
    await other.drop();
  }
});

describe('the name of its schema', () => {
  it.each(['registry', 'select', 'x', '_a1', 'a'.repeat(63)])('may be %s', async (schema) => {
    const registry = await connect({ schema });
    await migrateRegistry(registry);
    await assertRegistryMigrated(registry);
    expect(await tablesOf(schema)).toEqual(CORE_TABLES);
    expect(await new TypeOrmTenantStore(registry).list({ limit: 1 })).toEqual([]);
  });

  it('keeps registries of one database apart', async () => {
    const [one, other] = [await connect({ schema: 'one' }), await connect({ schema: 'other' })];
    await Promise.all([migrateRegistry(one), migrateRegistry(other)]);
    await database.query(`INSERT INTO one.tenants (id, slug, name, schema_name, status)
      VALUES ('01900000-0000-7000-8000-000000000001', 'acme', 'Acme', 't_acme', 'active')`);
    expect(await new TypeOrmTenantStore(one).list({ limit: 9 })).toHaveLength(1);
    expect(await new TypeOrmTenantStore(other).list({ limit: 9 })).toHaveLength(0);
  });

  it.each([
    '',
    'a.b',
    'a"b',
    `a'; DROP SCHEMA public; --`,
    'a\0',
    'Ten',
    '1a',
    'pg_x',
    'tenancyё',
    'a'.repeat(64),
    'a\n',
  ])('may not be %j', (schema) => {
    expect(() => registryOptions({ url: database.url, schema })).toThrow(RangeError);
  });
});

describe('a registry that an instance may not migrate', () => {
  const LACKING = {
    code: 'REGISTRY_NOT_MIGRATED',
    message: expect.stringMatching(/"tenancy" lacks .*CreateRegistry1763600000000.*tenancy migrate up/),
  };

  it('is refused while it is missing, with the remedy, and is not made', async () => {
    const registry = new DataSource(registryOptions({ url: database.url }));
    await expect(openRegistry(registry, { migrate: false })).rejects.toMatchObject({
      ...LACKING,
      message: expect.stringMatching(/^The schema "tenancy" has no registry yet\. .*tenancy migrate up/),
      pending: expect.arrayContaining(['CreateRegistry1763600000000']),
    });
    expect(registry.isInitialized).toBe(false);
    expect(await tablesOf('tenancy')).toEqual([]);
  });

  it('is refused while it is behind', async () => {
    const registry = await connect();
    await migrateRegistry(registry);
    await assertRegistryMigrated(registry);
    await database.query('DELETE FROM tenancy.registry_migrations');
    await expect(assertRegistryMigrated(registry)).rejects.toMatchObject(LACKING);
  });

  it('is accepted once another instance has migrated it, and when it is ahead', async () => {
    const registry = await connect();
    await migrateRegistry(registry);
    await database.query(
      `INSERT INTO tenancy.registry_migrations (timestamp, name) VALUES (2000000000000, 'Later2000000000000')`,
    );
    await openRegistry(registry, { migrate: false });
    expect(registry.isInitialized).toBe(true);
  });
});

describe('that a newer version has migrated', () => {
  const LATER = 'SplitFleetLedger1900000000000';

  async function migratedByLater(change: string): Promise<DataSource> {
    const registry = await connect();
    await migrateRegistry(registry);
    await database.query(change);
    return registry;
  }
  const insert = `INSERT INTO tenancy.registry_migrations (timestamp, name) VALUES (1900000000000, '${LATER}')`;
  const rename = `UPDATE tenancy.registry_migrations SET name = '${LATER}' WHERE name = 'CreateFleetLedger1763600400000'`;

  it('is worked with, as long as it has all that this one needs', async () => {
    const registry = await migratedByLater(insert);
    await migrateRegistry(registry);
    await assertRegistryMigrated(registry);
  });

  it('and has otherwise what this one would make: it says so, and which version to start', async () => {
    const registry = await migratedByLater(rename);
    const before = await tablesOf('tenancy');
    await expect(migrateRegistry(registry)).rejects.toMatchObject({
      code: 'REGISTRY_NEWER',
      unknown: [LATER],
      pending: ['CreateFleetLedger1763600400000'],
      message: expect.stringMatching(
        /migrated by a newer version of nestjs-tenancy: it has seen SplitFleetLedger1900000000000, .* already exists\. .*Start the version/,
      ),
    });
    await expect(assertRegistryMigrated(registry)).rejects.toMatchObject({
      code: 'REGISTRY_NOT_MIGRATED',
      message: expect.stringContaining('was migrated by a newer version'),
    });
    expect(await tablesOf('tenancy')).toEqual(before);
  });

  it('is told by the names of all migrations of this one, those of modules too', () => {
    for (const { name, partOf = name } of KNOWN_MIGRATIONS)
      expect([name, partOf].map(isKnownMigration)).toEqual([true, true]);
    expect(isKnownMigration(LATER)).toBe(false);
  });
});
