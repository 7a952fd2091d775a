import { Client } from 'pg';
import { DataSource } from 'typeorm';
import { openRegistry, registryOptions } from '../../../lib/registry/registry';
import { changesChannel } from '../../../lib/registry/changes/tenant-changes-channel';
import { TypeOrmTenantStore } from '../../../lib/registry/store/typeorm-tenant.store';
import { createTestDatabase, type TestDatabase } from '../../support/database';

const ACME = '01900000-0000-7000-8000-000000000001';
const GLOBEX = '01900000-0000-7000-8000-000000000002';
const INITECH = '01900000-0000-7000-8000-000000000003';
const INSERT = `INSERT INTO tenancy.tenants (id, slug, name, schema_name, status) VALUES
  ('${ACME}', 'acme', 'Acme', 't_acme', 'active'), ('${GLOBEX}', 'globex', 'Globex', 't_globex', 'active')`;

let database: TestDatabase;
const opened: DataSource[] = [];
const listeners: Client[] = [];

async function openAt(schema?: string): Promise<DataSource> {
  const registry = new DataSource(registryOptions({ url: database.url, schema }));
  opened.push(registry);
  await openRegistry(registry);
  return registry;
}

/** What is notified while `work` runs, in order. */
async function heardDuring(work: () => Promise<unknown>, schema = 'tenancy'): Promise<string[]> {
  const channel = changesChannel(schema);
  const client = new Client({ connectionString: database.url });
  listeners.push(client);
  const heard: string[] = [];
  const end = new Promise<void>((resolve) => {
    client.on('notification', ({ payload }) => (payload === 'end' ? resolve() : heard.push(payload ?? '')));
  });
  await client.connect();
  await client.query(`LISTEN "${channel}"`);
  await work();
  await database.query('SELECT pg_notify($1, $2)', [channel, 'end']);
  await end;
  return heard;
}

beforeAll(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  for (const client of listeners.splice(0)) await client.end();
  for (const registry of opened.splice(0)) await registry.destroy();
});
afterAll(() => database.drop());

describe('SQL typed by hand', () => {
  beforeAll(() => openAt());
  beforeEach(async () => {
    await database.query('TRUNCATE tenancy.tenants CASCADE');
    await database.query(INSERT);
    await database.query(`INSERT INTO tenancy.tenant_domains VALUES ('acme.example', '${ACME}')`);
  });

  it.each([
    [
      'a new tenant',
      `INSERT INTO tenancy.tenants (id, slug, name, schema_name, status) VALUES ('${INITECH}', 'i', 'I', 't_i', 'active')`,
      [INITECH],
    ],
    ['a suspension', `UPDATE tenancy.tenants SET status = 'suspended' WHERE id = '${ACME}'`, [ACME]],
    ['a rename', `UPDATE tenancy.tenants SET slug = 'new' WHERE id = '${ACME}'`, [ACME]],
    ['a change of several', `UPDATE tenancy.tenants SET name = 'x'`, [ACME, GLOBEX]],
    ['another id', `UPDATE tenancy.tenants SET id = '${INITECH}' WHERE slug = 'globex'`, [GLOBEX, INITECH]],
    ['a removal', `DELETE FROM tenancy.tenants WHERE id = '${ACME}'`, [ACME]],
    ['a domain', `INSERT INTO tenancy.tenant_domains VALUES ('globex.example', '${GLOBEX}')`, [GLOBEX]],
    ['a domain that is renamed', `UPDATE tenancy.tenant_domains SET domain = 'new.example'`, [ACME]],
    ['a domain that moves', `UPDATE tenancy.tenant_domains SET tenant_id = '${GLOBEX}'`, [ACME, GLOBEX]],
    ['a domain that goes', `DELETE FROM tenancy.tenant_domains`, [ACME]],
    ['a truncation', 'TRUNCATE tenancy.tenants CASCADE', ['']],
    ['nothing that matches', `UPDATE tenancy.tenants SET name = 'x' WHERE slug = 'nobody'`, []],
    [
      'a restore without triggers',
      `SET session_replication_role = replica; DELETE FROM tenancy.tenant_domains`,
      [ACME],
    ],
  ])('is told of: %s', async (_what, sql, expected) => {
    const heard = await heardDuring(() => database.query(sql));
    expect(heard).toEqual(expected);
  });

  it('is told once for a thousand changes of one tenant in a transaction', async () => {
    const update = `UPDATE tenancy.tenants SET name = 'x' WHERE id = '${ACME}';`;
    expect(await heardDuring(() => database.query(update.repeat(1_000)))).toEqual([ACME]);
  });

  it('is not told when it is rolled back', async () => {
    const sql = `BEGIN; UPDATE tenancy.tenants SET name = 'x'; ROLLBACK`;
    expect(await heardDuring(() => database.query(sql))).toEqual([]);
  });

  it('runs no code of whoever is first in the path', async () => {
    const body = `RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'hijacked'; END $$`;
    await database.query(`CREATE SCHEMA decoy; CREATE FUNCTION decoy.pg_notify(text, text) ${body};
      CREATE FUNCTION decoy.to_jsonb(anyelement) ${body};
      CREATE FUNCTION decoy.hijack(jsonb, text) ${body.replace('void', 'text')};
      CREATE OPERATOR decoy.->> (LEFTARG = jsonb, RIGHTARG = text, FUNCTION = decoy.hijack)`);
    const sql = `SET search_path = decoy, pg_catalog, tenancy; UPDATE tenants SET name = 'x' WHERE slug = 'acme'`;
    expect(await heardDuring(() => database.query(sql))).toEqual([ACME]);
  });

  it('needs no right but that to change the row', async () => {
    const role = `changer_${new URL(database.url).pathname.slice(-8)}`;
    await database.query(`CREATE ROLE ${role}; GRANT USAGE ON SCHEMA tenancy TO ${role};
      GRANT SELECT, UPDATE ON tenancy.tenants TO ${role}`);
    const sql = `SET ROLE ${role}; UPDATE tenancy.tenants SET name = 'x' WHERE slug = 'acme'`;
    try {
      expect(await heardDuring(() => database.query(sql))).toEqual([ACME]);
    } finally {
      await database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });
});

it('whatever the store changes is told', async () => {
  const store = new TypeOrmTenantStore(await openAt());
  await database.query('TRUNCATE tenancy.tenants CASCADE');
  const tenant = {
    ...{ id: ACME, slug: 'acme', name: 'Acme', schemaName: 't_acme', status: 'active' as const },
    ...{ domains: ['acme.example'], metadata: {}, templateVersion: null, schemaVersion: null },
  };
  for (const change of [
    () => store.insert(tenant),
    () => store.update(ACME, { status: 'suspended' }),
    () => store.addDomain(ACME, 'shop.acme.example'),
    () => store.removeDomain(ACME, 'acme.example'),
    () => store.remove(ACME),
  ]) {
    expect(await heardDuring(change)).toEqual([ACME]);
  }
});

describe('The channel', () => {
  it('is that of the schema, so two registries of one database do not hear each other', async () => {
    await openAt('one');
    await openAt('other');
    const insert = (schema: string) => database.query(INSERT.replace('tenancy', schema));
    expect(await heardDuring(() => insert('one'), 'other')).toEqual([]);
    expect(await heardDuring(() => insert('other'), 'other')).toHaveLength(2);
  });

  it.each(['x', 'a'.repeat(55), 'a'.repeat(63)])('holds for the schema %s', async (schema) => {
    expect(Buffer.byteLength(changesChannel(schema))).toBeLessThanOrEqual(63);
    await openAt(schema);
    expect(await heardDuring(() => database.query(INSERT.replace('tenancy', schema)), schema)).toHaveLength(
      2,
    );
  });

  it('follows a schema that is renamed', async () => {
    await openAt('sooner');
    await database.query('ALTER SCHEMA sooner RENAME TO later');
    const change = () => database.query(INSERT.replace('tenancy', 'later'));
    expect(await heardDuring(change, 'later')).toHaveLength(2);
  });
});

it('is brought to a registry that is there already, and can be taken back', async () => {
  const registry = await openAt('old');
  const [, notify, ...later] = registry.migrations;
  const runner = registry.createQueryRunner();
  // Later tables tell of their changes by the same function.
  for (const migration of [...later].reverse()) await migration.down(runner);
  await notify.down(runner);
  expect(await heardDuring(() => database.query(INSERT.replace('tenancy', 'old')), 'old')).toEqual([]);
  await notify.up(runner);
  for (const migration of later) await migration.up(runner);
  await runner.release();
  expect(await heardDuring(() => database.query(`UPDATE old.tenants SET name = 'x'`), 'old')).toHaveLength(2);
});
