import { Client } from 'pg';
import { type Tenant, TenantEvents, TenantLifecycle, TenantPurge, TenantStore } from '../../../lib';
import { InMemoryTenantStore } from '../../../lib/registry/store/in-memory-tenant.store';
import { type ProvisioningApp, startProvisioningApp } from './app';

const NOT_FOUND = { code: 'TENANT_NOT_FOUND', statusCode: 404 };

describe('purging a tenant', () => {
  let running: ProvisioningApp;
  let count = 0;

  beforeAll(async () => {
    running = await startProvisioningApp();
  });
  afterAll(() => running.close());

  const purge = (reference: string, actor?: string) =>
    running.app.get(TenantPurge).purge(reference, { actor });
  const sql = (text: string, values?: unknown[]) => running.database.query(text, values);
  const slug = () => `shop-${++count}`;

  async function deleted(): Promise<Tenant> {
    const tenant = await running.create({
      slug: slug(),
      metadata: { plan: 'gold' },
      domains: [`${slug()}.example`],
    });
    return running.app.get(TenantLifecycle).delete(tenant.id);
  }

  it('takes its schema, its domains and its metadata, and keeps a record of what was there', async () => {
    const tenant = await deleted();
    const other = await running.create({ slug: slug() });
    await sql(`INSERT INTO ${tenant.schemaName}.note (text) SELECT 'x' FROM generate_series(1, 1000)`);
    await sql(`INSERT INTO ${other.schemaName}.note (text) VALUES ('kept')`);
    const record = await purge(tenant.slug, 'ops@example.com');
    expect(record).toEqual({
      tenantId: tenant.id,
      slug: tenant.slug,
      schemaName: tenant.schemaName,
      server: 'default',
      tables: { note: 1000 },
      rows: 1000,
      bytes: expect.any(Number),
      purgedBy: 'ops@example.com',
      startedAt: expect.any(Date),
      finishedAt: expect.any(Date),
    });
    expect(record.bytes).toBeGreaterThan(8192);
    await expect(running.schemas()).resolves.not.toContain(tenant.schemaName);
    await expect(sql(`SELECT text FROM ${other.schemaName}.note`)).resolves.toEqual([{ text: 'kept' }]);
    await expect(running.app.get(TenantStore).find({ by: 'id', value: tenant.id })).resolves.toBeUndefined();
    await expect(
      sql('SELECT 1 FROM tenancy.tenant_domains WHERE tenant_id = $1', [tenant.id]),
    ).resolves.toEqual([]);
    await expect(
      sql('SELECT name, metadata, status FROM tenancy.tenants WHERE id = $1', [tenant.id]),
    ).resolves.toEqual([{ name: tenant.slug, metadata: {}, status: 'purged' }]);
    await expect(sql('SELECT tenant FROM tenancy.purges WHERE tenant_id = $1', [tenant.id])).resolves.toEqual(
      [{ tenant: null }],
    );
    await expect(
      sql('SELECT DISTINCT tenant_id FROM tenancy.tenant_migrations WHERE tenant_id = ANY ($1::uuid[])', [
        [tenant.id, other.id],
      ]),
    ).resolves.toEqual([{ tenant_id: other.id }]);
    await expect(
      sql(
        'SELECT type, actor_id AS actor FROM tenancy.tenant_event_outbox WHERE tenant_id = $1 ORDER BY n DESC LIMIT 1',
        [tenant.id],
      ),
    ).resolves.toEqual([{ type: 'tenant.purged', actor: 'ops@example.com' }]);
  });

  it('frees the slug and the domains, but neither the id nor the name of the schema', async () => {
    const tenant = await deleted();
    await purge(tenant.id);
    const next = await running.create({ slug: tenant.slug, domains: tenant.domains });
    expect(next.id).not.toBe(tenant.id);
    expect(next.schemaName).not.toBe(tenant.schemaName);
    await expect(
      running.app.get(TenantStore).insert({
        ...next,
        id: '01900000-0000-7000-8000-000000000001',
        slug: slug(),
        domains: [],
        schemaName: tenant.schemaName,
      }),
    ).rejects.toMatchObject({ code: 'SCHEMA_NAME_TAKEN' });
    // The slug is another's now: the tombstone must not be reached by it.
    await expect(purge(tenant.slug)).rejects.toMatchObject({ code: 'INVALID_TRANSITION' });
  });

  it('refuses a tenant that is not deleted, by its status', async () => {
    const tenant = await running.create({ slug: slug() });
    await expect(purge(tenant.id)).rejects.toMatchObject({ code: 'INVALID_TRANSITION', from: 'active' });
    await running.app.get(TenantLifecycle).suspend(tenant.id);
    await expect(purge(tenant.id)).rejects.toMatchObject({ code: 'INVALID_TRANSITION', from: 'suspended' });
    await expect(running.schemas()).resolves.toContain(tenant.schemaName);
  });

  it.each([
    'nobody',
    '01900000-0000-7000-8000-00000000ffff',
    '',
    '\0',
    '../../etc',
    "a'; DROP TABLE x",
    'x'.repeat(1e5),
  ])('knows nobody called %#', async (reference) => {
    await expect(purge(reference)).rejects.toMatchObject(NOT_FOUND);
  });

  it('answers with the same record when it is asked again, by whoever', async () => {
    const tenant = await deleted();
    const record = await purge(tenant.id, 'one');
    await expect(purge(tenant.id, 'two')).resolves.toEqual(record);
    await expect(purge(tenant.slug)).resolves.toEqual(record);
  });

  it('is done once when two ask at once, and both hear of it', async () => {
    const tenant = await deleted();
    const heard: string[] = [];
    const stop = running.app.get(TenantEvents).on('purged', ({ id, metadata }) => {
      heard.push(id);
      expect(metadata).toEqual({ plan: 'gold' });
    });
    const records = await Promise.all([purge(tenant.id, 'one'), purge(tenant.slug, 'one')]);
    stop();
    expect(records[0]).toEqual(records[1]);
    expect(heard).toEqual([tenant.id]);
  });

  it('leaves a tenant alone that is restored between the look at it and the deed', async () => {
    const tenant = await deleted();
    const store = running.app.get(TenantStore);
    const find = store.find.bind(store);
    jest.spyOn(store, 'find').mockImplementationOnce(async (claim) => {
      const found = await find(claim);
      await running.app.get(TenantLifecycle).restore(tenant.id);
      return found;
    });
    await expect(purge(tenant.id)).rejects.toMatchObject({ code: 'INVALID_TRANSITION', from: 'active' });
    await expect(store.find({ by: 'id', value: tenant.id })).resolves.toMatchObject({
      status: 'active',
      metadata: { plan: 'gold' },
    });
    await expect(running.schemas()).resolves.toContain(tenant.schemaName);
  });

  it('names the transaction that holds a table, keeps what it did, and goes on when it is called again', async () => {
    const tenant = await deleted();
    const holder = new Client({ connectionString: running.database.url });
    await holder.connect();
    await holder.query(`BEGIN; SELECT FROM ${tenant.schemaName}.note`);
    const { rows } = await holder.query('SELECT pg_backend_pid() AS pid');
    await expect(purge(tenant.slug)).rejects.toMatchObject({
      code: 'PURGE_BLOCKED',
      statusCode: 409,
      message: expect.stringContaining(`process ${rows[0].pid}, idle in transaction since`),
    });
    await expect(running.schemas()).resolves.toContain(tenant.schemaName);
    await expect(running.app.get(TenantLifecycle).restore(tenant.id)).rejects.toMatchObject(NOT_FOUND);
    await holder.end();
    await expect(purge(tenant.slug)).resolves.toMatchObject({ tenantId: tenant.id, tables: { note: 0 } });
    await expect(running.schemas()).resolves.not.toContain(tenant.schemaName);
  });

  it('refuses while something outside needs the schema, by name, and leaves the tenant as it was', async () => {
    const tenant = await deleted();
    await sql(
      `CREATE TABLE public.report (note_id int CONSTRAINT outside_fk REFERENCES ${tenant.schemaName}.note)`,
    );
    await sql(`CREATE VIEW public.notes AS SELECT * FROM ${tenant.schemaName}.note`);
    await sql(
      `CREATE FUNCTION public.first_note() RETURNS SETOF ${tenant.schemaName}.note LANGUAGE sql AS 'SELECT NULL::int, NULL::varchar'`,
    );
    const error = await purge(tenant.id).catch((reason: Error) => reason);
    expect(error).toMatchObject({ code: 'PURGE_BLOCKED' });
    for (const name of ['outside_fk', 'public.notes', 'public.first_note()']) {
      expect((error as Error).message).toContain(name);
    }
    await expect(running.app.get(TenantStore).find({ by: 'id', value: tenant.id })).resolves.toMatchObject({
      status: 'deleted',
      metadata: { plan: 'gold' },
    });
    await sql('DROP TABLE public.report; DROP VIEW public.notes; DROP FUNCTION public.first_note()');
    await expect(purge(tenant.id)).resolves.toMatchObject({ slug: tenant.slug });
  });

  it('never holds more locks than one part needs, however large and tangled the schema', async () => {
    const tenant = await deleted();
    const { schemaName } = tenant;
    const tables = Array.from(
      { length: 120 },
      (_, i) => `
      CREATE TABLE ${schemaName}."Table ${i}" (
        id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, hub int REFERENCES ${schemaName}.note,
        peer int, a text UNIQUE, b text DEFAULT 'x' CHECK (b <> ''))`,
    );
    await sql(tables.join(';'));
    // A ring of foreign keys: no order of dropping keeps all of them.
    await sql(
      tables
        .map(
          (_, i) =>
            `ALTER TABLE ${schemaName}."Table ${i}" ADD FOREIGN KEY (peer) REFERENCES ${schemaName}."Table ${(i + 1) % 120}"`,
        )
        .join(';'),
    );
    await sql(`
      CREATE VIEW ${schemaName}.v1 AS SELECT id FROM ${schemaName}."Table 3";
      CREATE MATERIALIZED VIEW ${schemaName}.v2 AS SELECT id FROM ${schemaName}.v1;
      CREATE SEQUENCE ${schemaName}.alone;
      CREATE TYPE ${schemaName}.mood AS ENUM ('good');
      CREATE TABLE ${schemaName}.parted (day date, mood ${schemaName}.mood) PARTITION BY RANGE (day);
      CREATE TABLE ${schemaName}.part PARTITION OF ${schemaName}.parted DEFAULT;
      INSERT INTO ${schemaName}.parted VALUES (now(), 'good');
      CREATE FUNCTION ${schemaName}.f(${schemaName}.mood) RETURNS int LANGUAGE sql AS 'SELECT 1';
      CREATE AGGREGATE ${schemaName}.total(int) (sfunc = int4pl, stype = int)`);
    await sql(`CREATE FUNCTION public.count_locks() RETURNS event_trigger LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO public.lock_count SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid(); END $$`);
    await sql('CREATE TABLE public.lock_count (locks int)');
    await sql('CREATE EVENT TRIGGER count_locks ON ddl_command_end EXECUTE FUNCTION public.count_locks()');
    try {
      const { tables: counted } = await purge(tenant.id);
      expect(Object.keys(counted)).toHaveLength(120 + 3);
      expect(counted).toMatchObject({ part: 1, v2: 0 });
    } finally {
      await sql('DROP EVENT TRIGGER count_locks');
    }
    const [{ most }] = (await sql('SELECT max(locks)::int AS most FROM public.lock_count')) as {
      most: number;
    }[];
    expect(most).toBeGreaterThan(20);
    expect(most).toBeLessThan(400);
    await expect(running.schemas()).resolves.not.toContain(schemaName);
  });
});

describe('with a store outside the database', () => {
  it('a purge forgets the tenant there', async () => {
    const store = new InMemoryTenantStore();
    const running = await startProvisioningApp({ store });
    const tenant = await running.create({ slug: 'acme' });
    await running.app.get(TenantLifecycle).delete('acme');
    await expect(running.app.get(TenantPurge).purge('acme')).resolves.toMatchObject({ tenantId: tenant.id });
    await expect(store.find({ by: 'id', value: tenant.id })).resolves.toBeUndefined();
    await expect(running.schemas()).resolves.toEqual([]);
    await running.close();
  });
});
