import { Client } from 'pg';
import { TenantLifecycle, TenantProvisioner, TenantPurge } from '../../../lib';
import { SpareRefill } from '../../../lib/provisioning/spares/spare-refill';
import { InMemoryTenantStore } from '../../../lib/registry/store/in-memory-tenant.store';
import { type ProvisioningApp, startProvisioningApp } from './app';

const NOTE = 'CREATE TABLE note (id serial PRIMARY KEY, text varchar NOT NULL)';

describe('adopting a schema', () => {
  let running: ProvisioningApp;
  let count = 0;

  beforeAll(async () => {
    running = await startProvisioningApp({ sharedSchemas: ['shared'], spares: { count: 1 } });
  });
  afterAll(() => running.close());

  const adopt = (...args: Parameters<TenantProvisioner['adopt']>) =>
    running.app.get(TenantProvisioner).adopt(...args);
  const slug = () => `old-${++count}`;

  async function legacy(name: string, sql = NOTE): Promise<string> {
    const quoted = `"${name.replaceAll('"', '""')}"`;
    await running.database.query(`CREATE SCHEMA ${quoted}; SET search_path = ${quoted}; ${sql}`);
    return name;
  }

  it.each(['legacy', 'Legacy "Shop"', 'магазин', 'x'.repeat(63), 'public2', 't_aaaaaaaaaaaaaaaaaaaa'])(
    'takes in one that is like the template, under its own name: %s',
    async (name) => {
      await legacy(name, `${NOTE}; INSERT INTO note (text) VALUES ('kept')`);
      const tenant = await adopt(name, slug(), { metadata: { since: 2019 }, domains: [`${slug()}.example`] });
      expect(tenant).toMatchObject({ schemaName: name, status: 'active', metadata: { since: 2019 } });
      expect(tenant.templateVersion).toMatch(/^[0-9a-f]{64}$/);
      await expect(
        running.database.query(
          'SELECT obj_description(oid) AS comment FROM pg_namespace WHERE nspname = $1',
          [name],
        ),
      ).resolves.toEqual([
        { comment: expect.stringMatching(`^tenant ${tenant.slug}; registry [0-9a-f-]{36}$`) },
      ]);
      await expect(adopt(name, slug())).rejects.toMatchObject({ code: 'SCHEMA_NAME_TAKEN' });
    },
  );

  it('tells in words how another one differs, and leaves it alone', async () => {
    await legacy(
      'different',
      'CREATE TABLE note (id serial PRIMARY KEY, text varchar); CREATE TABLE extra (a int)',
    );
    const error = (await adopt('different', slug()).catch((reason: unknown) => reason)) as Error;
    expect(error).toMatchObject({ code: 'SCHEMA_DIFFERS', statusCode: 409 });
    expect(error.message).toContain('column extra.a is not in the template');
    expect(error.message).toContain('The column note.text may be NULL, and in the template it may not.');
    expect(error.message).toContain('force: true');
    await expect(running.database.query('SELECT FROM different.extra')).resolves.toEqual([]);
    const tenant = await adopt('different', slug(), { force: true });
    expect(tenant).toMatchObject({ schemaName: 'different', templateVersion: null });
  });

  it.each([
    'template',
    'tenancy',
    'shared',
    'pg_catalog',
    'pg_toast',
    'information_schema',
    'nowhere',
    '',
    'a\0',
    'x'.repeat(64),
  ])('refuses what cannot be a tenant’s: %j', async (name) => {
    await expect(adopt(name, slug(), { force: true })).rejects.toMatchObject({
      code: 'SCHEMA_NOT_ADOPTABLE',
    });
  });

  it('refuses a spare, which is promised to somebody else', async () => {
    await running.app.get(SpareRefill).refill();
    const [{ name }] = await running.database.query<{ name: string }>(
      'SELECT schema_name AS name FROM tenancy.spares',
    );
    await expect(adopt(name, slug())).rejects.toMatchObject({ code: 'SCHEMA_NOT_ADOPTABLE' });
  });

  it('gives a schema to one of two who want it at once', async () => {
    await legacy('wanted');
    const outcomes = await Promise.allSettled([adopt('wanted', slug()), adopt('wanted', slug())]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await expect(running.database.query('SELECT FROM wanted.note')).resolves.toEqual([]);
  });

  it('refuses one that is being purged, which a store elsewhere has forgotten', async () => {
    const elsewhere = await startProvisioningApp({ store: new InMemoryTenantStore() });
    const holder = new Client({ connectionString: elsewhere.database.url });
    try {
      const { schemaName } = await elsewhere.create({ slug: 'acme' });
      await elsewhere.app.get(TenantLifecycle).delete('acme');
      await holder.connect();
      await holder.query(`BEGIN; SELECT FROM ${schemaName}.note`);
      const purge = () => elsewhere.app.get(TenantPurge).purge('acme');
      await expect(purge()).rejects.toMatchObject({ code: 'PURGE_BLOCKED' });
      await expect(
        elsewhere.app.get(TenantProvisioner).adopt(schemaName, 'globex', { force: true }),
      ).rejects.toMatchObject({ code: 'SCHEMA_NOT_ADOPTABLE', message: expect.stringContaining('purged') });
      await holder.query('ROLLBACK');
      await expect(purge()).resolves.toMatchObject({ schemaName });
    } finally {
      await holder.end();
      await elsewhere.close();
    }
  });
});
