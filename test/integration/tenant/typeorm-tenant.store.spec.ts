import { DataSource, EventSubscriber } from 'typeorm';
import { openRegistry, registryOptions } from '../../../lib/registry/registry';
import type { NewTenant } from '../../../lib/registry/store/tenant.store';
import { TypeOrmTenantStore } from '../../../lib/registry/store/typeorm-tenant.store';
import { createTestDatabase } from '../../support/database';
import type { TestDatabase } from '../../support/database';

const ACME: NewTenant = {
  id: '01900000-0000-7000-8000-000000000001',
  slug: 'acme',
  name: 'Acme',
  schemaName: 't_acme',
  status: 'provisioning',
  domains: ['acme.example', 'shop.acme.example'],
  metadata: { plan: 'free' },
  templateVersion: 'v1',
  schemaVersion: null,
};

const GLOBEX: NewTenant = {
  ...ACME,
  id: '01900000-0000-7000-8000-000000000002',
  slug: 'globex',
  schemaName: 't_globex',
  domains: [],
};

let database: TestDatabase;
let registry: DataSource;
let store: TypeOrmTenantStore;

beforeAll(async () => {
  database = await createTestDatabase();
  registry = new DataSource(registryOptions({ url: database.url }));
  await openRegistry(registry);
  store = new TypeOrmTenantStore(registry);
});

beforeEach(() =>
  database.query('TRUNCATE tenancy.tenants, tenancy.tenant_events, tenancy.tenant_event_outbox CASCADE'),
);

afterAll(async () => {
  await registry?.destroy();
  await database?.drop();
});

describe("a tenant inserted in a transaction of the application's own DataSource", () => {
  const seenBySubscribers: string[] = [];
  let application: DataSource;

  @EventSubscriber()
  class Subscriber {
    beforeInsert = () => void seenBySubscribers.push('beforeInsert');
    afterInsert = () => void seenBySubscribers.push('afterInsert');
    afterLoad = () => void seenBySubscribers.push('afterLoad');
  }

  beforeAll(async () => {
    application = await new DataSource({
      type: 'postgres',
      url: database.url,
      installExtensions: false,
      subscribers: [Subscriber],
      // As the connections of tenants have it: nothing is found without its schema's name.
      extra: { options: '-c search_path=' },
    }).initialize();
  });

  afterAll(() => application?.destroy());

  it('appears when that transaction commits', async () => {
    const transaction = application.createQueryRunner();
    await transaction.startTransaction();
    const inserted = await store.insert(ACME, transaction);
    expect(inserted).toMatchObject({ ...ACME, createdAt: expect.any(Date) });
    expect(await store.find({ by: 'slug', value: 'acme' })).toBeUndefined();
    await transaction.commitTransaction();
    await transaction.release();
    expect(await store.find({ by: 'slug', value: 'acme' })).toEqual(inserted);
  });

  it('is gone when that transaction rolls back', async () => {
    const transaction = application.createQueryRunner();
    await transaction.startTransaction();
    await store.insert(ACME, transaction);
    await transaction.rollbackTransaction();
    await transaction.release();
    expect(await store.list({ limit: 100 })).toEqual([]);
    expect(await database.query('SELECT * FROM tenancy.tenant_domains')).toEqual([]);
  });

  it('opens no transaction or savepoint of its own, and does not end the one it was given', async () => {
    const transaction = application.createQueryRunner();
    await transaction.startTransaction();
    const [before] = await transaction.query('SELECT pg_current_xact_id()::text AS id');
    await store.insert(ACME, transaction);
    const [after] = await transaction.query('SELECT pg_current_xact_id()::text AS id');
    expect(after).toEqual(before);
    const rows = await transaction.query(
      'SELECT DISTINCT xmin::text FROM (SELECT xmin FROM tenancy.tenants UNION SELECT xmin FROM tenancy.tenant_domains) AS r',
    );
    expect(rows).toEqual([{ xmin: before.id }]);
    await transaction.rollbackTransaction();
    await transaction.release();
  });

  it('cannot be committed in part when one of its domains is taken', async () => {
    await store.insert({ ...GLOBEX, domains: ['shop.acme.example'] });
    const transaction = application.createQueryRunner();
    await transaction.startTransaction();
    await expect(store.insert(ACME, transaction)).rejects.toMatchObject({
      code: 'DOMAIN_TAKEN',
      domain: 'shop.acme.example',
    });
    await transaction.commitTransaction();
    await transaction.release();
    expect(await store.find({ by: 'id', value: ACME.id })).toBeUndefined();
    expect(await store.find({ by: 'domain', value: 'acme.example' })).toBeUndefined();
  });

  it("is no business of the application's subscribers", async () => {
    const transaction = application.createQueryRunner();
    await transaction.startTransaction();
    await store.insert(ACME, transaction);
    await transaction.rollbackTransaction();
    await transaction.release();
    expect(seenBySubscribers).toEqual([]);
  });
});

describe('a purged tenant', () => {
  const purge = () => database.query(`UPDATE tenancy.tenants SET status = 'purged' WHERE id = $1`, [ACME.id]);

  it('is neither found nor listed, nor changed', async () => {
    await store.insert(ACME);
    await purge();
    expect(await store.find({ by: 'id', value: ACME.id })).toBeUndefined();
    expect(await store.find({ by: 'slug', value: ACME.slug })).toBeUndefined();
    expect(await store.find({ by: 'domain', value: 'acme.example' })).toBeUndefined();
    expect(await store.list({ limit: 100 })).toEqual([]);
    expect(await store.list({ limit: 100, status: 'purged' as 'deleted' })).toEqual([]);
    expect(await store.update(ACME.id, { status: 'active' })).toBeUndefined();
    expect(await store.addDomain(ACME.id, 'other.example')).toBeUndefined();
    expect(await store.removeDomain(ACME.id, 'acme.example')).toBeUndefined();
    await store.remove(ACME.id);
    expect(await database.query('SELECT status FROM tenancy.tenants')).toEqual([{ status: 'purged' }]);
  });

  it('frees its slug, but never its id or its schema', async () => {
    await store.insert({ ...ACME, domains: [] });
    await purge();
    await expect(store.insert({ ...GLOBEX, schemaName: ACME.schemaName })).rejects.toMatchObject({
      code: 'SCHEMA_NAME_TAKEN',
      schemaName: ACME.schemaName,
    });
    await expect(store.insert({ ...GLOBEX, id: ACME.id })).rejects.toThrow('tenants_pkey');
    expect(await store.insert({ ...GLOBEX, slug: ACME.slug })).toMatchObject({ slug: 'acme' });
  });
});

it('refuses a status that is none, and metadata that is no object, whoever writes it', async () => {
  await expect(store.insert({ ...ACME, status: 'ACTIVE' as 'active' })).rejects.toThrow(
    'tenants_status_check',
  );
  await expect(
    database.query(`INSERT INTO tenancy.tenants (id, slug, name, schema_name, status, metadata)
      VALUES (gen_random_uuid(), 'a', 'A', 't_a', 'active', '[]')`),
  ).rejects.toThrow('tenants_metadata_check');
});

it('never sets updatedAt back, not even by who waited for the row', async () => {
  await store.insert(ACME);
  const first = registry.createQueryRunner();
  await first.startTransaction();
  await first.query('SELECT FROM tenancy.tenants FOR UPDATE');
  const waiting = store.update(ACME.id, { name: 'second' });
  const blocked = `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;
  while ((await database.query(blocked)).length === 0);
  const [[{ updated_at }]] = await first.query(
    `UPDATE tenancy.tenants SET name = 'first', updated_at = clock_timestamp() RETURNING updated_at`,
  );
  await first.commitTransaction();
  await first.release();
  const tenant = await waiting;
  expect(tenant).toMatchObject({ name: 'second' });
  expect(tenant!.updatedAt.getTime()).toBeGreaterThanOrEqual(updated_at.getTime());
});

it('holds at most two connections, however many ask', async () => {
  await Promise.all(Array.from({ length: 50 }, () => store.find({ by: 'slug', value: 'acme' })));
  const [{ count }] = await database.query<{ count: number }>(
    `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%tenancy%'
     AND pid <> pg_backend_pid()`,
  );
  expect(count).toBeLessThanOrEqual(2);
});
