import { Client } from 'pg';
import {
  type TenancyOptions,
  type Tenant,
  TenantLifecycle,
  TenantProvisioner,
  TenantPurge,
  TenantStore,
  TenantSweeper,
} from '../../../lib';
import { findNeighbours } from '../../../lib/provisioning/marks/registry-neighbours';
import { SpareRefill } from '../../../lib/provisioning/spares/spare-refill';
import { InMemoryTenantStore } from '../../../lib/registry/store/in-memory-tenant.store';
import type { TestApp } from '../../support/test-app';
import { ownDatabase, schemasOf } from './app';

const SHOP: Partial<TenancyOptions> = { registry: { schema: 'shop' }, templateSchema: 'shop_template' };
const CRM: Partial<TenancyOptions> = { registry: { schema: 'crm' }, templateSchema: 'crm_template' };
/** What no test waits a day for. */
const AT_ONCE = { sweeper: { intervalMs: 0, orphanAfterMs: 0, purgeAfterMs: 0 } };
const UUID = '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}';

describe('two applications in one database', () => {
  const { database, start } = ownDatabase(AT_ONCE);
  const sweep = ({ app }: TestApp) => app.get(TenantSweeper).sweep();
  const commentOf = async (name: string) =>
    (await database.query('SELECT obj_description($1::regnamespace) AS comment', [name]))[0].comment;
  const comment = (name: string, text: string) => database.query(`COMMENT ON SCHEMA ${name} IS '${text}'`);
  const deleted = async ({ app, create }: TestApp, slug: string): Promise<Tenant> => {
    await create({ slug });
    return app.get(TenantLifecycle).delete(slug);
  };

  it('drop nothing of each other’s, however impatient their sweepers are', async () => {
    const shop = await start({ ...SHOP, spares: { count: 2 } });
    const crm = await start({ ...CRM, spares: { count: 1 } });
    for (const app of [shop, crm]) {
      await app.create({ slug: 'acme' });
      await app.app.get(SpareRefill).refill();
    }
    const before = await schemasOf(database);
    expect(before).toHaveLength(5);
    for (const app of [shop, crm, shop, crm]) {
      await expect(sweep(app)).resolves.toMatchObject({
        orphans: { dropped: [], withRows: [], unmarked: [] },
        problems: [],
      });
    }
    await expect(schemasOf(database)).resolves.toEqual(before);
    for (const app of [shop, crm]) await app.create({ slug: 'globex' });
  });

  it('are told of each other at the start', async () => {
    const shop = await start(SHOP);
    expect(shop.log.warnings).toEqual([]);
    const crm = await start(CRM);
    expect(crm.log.warnings).toEqual([
      expect.stringMatching(/another registry .* in the schema "shop".*"crm".*TENANCY_REGISTRY_SCHEMA/),
    ]);
  });

  it('one of which is the same with a mistyped registry.schema: nothing is lost', async () => {
    const right = await start({ migrations: [], spares: { count: 2 } });
    const acme = await right.create({ slug: 'acme' });
    await right.app.get(SpareRefill).refill();
    const before = await schemasOf(database);
    const mistyped = await start({ migrations: [], registry: { schema: 'tenancyy' }, spares: { count: 1 } });
    expect(mistyped.log.warnings).toContainEqual(expect.stringContaining('mistyped'));
    await mistyped.app.get(SpareRefill).refill();
    await expect(sweep(mistyped)).resolves.toMatchObject({ orphans: { dropped: [] }, problems: [] });
    await expect(schemasOf(database)).resolves.toEqual(expect.arrayContaining(before));
    await expect(mistyped.app.get(TenantProvisioner).adopt(acme.schemaName, 'acme')).rejects.toMatchObject({
      code: 'SCHEMA_NOT_ADOPTABLE',
      message: expect.stringMatching(`another registry, ${UUID}`),
    });
    await right.create({ slug: 'globex' });
  });

  describe('one of which would adopt a schema that has no mark', () => {
    const adopt = ({ app }: TestApp, schemaName: string) =>
      app.get(TenantProvisioner).adopt(schemaName, 'mine', { force: true });
    const refusal = (message: RegExp) => ({
      code: 'SCHEMA_NOT_ADOPTABLE',
      statusCode: 409,
      message: expect.stringMatching(message),
    });

    it('is refused what the other has as a tenant, deleted or not, or as a spare', async () => {
      const shop = await start({ ...SHOP, spares: { count: 1 } });
      const crm = await start({ ...CRM, spares: { count: 1 } });
      const tenants = [await shop.create({ slug: 'acme' }), await deleted(shop, 'globex')];
      for (const { slug, schemaName } of tenants) {
        for (const text of ['NULL', `'tenant ${slug}'`, `'by hand'`]) {
          await database.query(`COMMENT ON SCHEMA ${schemaName} IS ${text}`);
          await expect(adopt(crm, schemaName)).rejects.toMatchObject(
            refusal(new RegExp(`the tenant "${slug}" of another registry, which is in the schema "shop"`)),
          );
        }
      }
      await shop.app.get(SpareRefill).refill();
      const [{ name }] = await database.query<{ name: string }>(
        'SELECT schema_name AS name FROM shop.spares',
      );
      await comment(name, 'waits for a tenant');
      await expect(adopt(crm, name)).rejects.toMatchObject(
        refusal(/it is a spare of another registry, which is in the schema "shop"/),
      );
    });

    it('is refused the other’s registry', async () => {
      await start(SHOP);
      const crm = await start(CRM);
      await expect(adopt(crm, 'shop')).rejects.toMatchObject(refusal(/it is another registry/));
    });

    it('is refused what a copy of its registry has as a tenant, though the mark is its own', async () => {
      const shop = await start(SHOP);
      const crm = await start(CRM);
      await database.query('UPDATE crm.registry_identity SET id = (SELECT id FROM shop.registry_identity)');
      const { schemaName } = await shop.create({ slug: 'acme' });
      await expect(adopt(crm, schemaName)).rejects.toMatchObject(
        refusal(/it is the tenant "acme" of another registry/),
      );
    });

    it('takes in what the other has purged, and what it does not know', async () => {
      const shop = await start(SHOP);
      const crm = await start(CRM);
      const { schemaName } = await deleted(shop, 'acme');
      await shop.app.get(TenantPurge).purge('acme');
      for (const name of [schemaName, 'legacy']) {
        await database.query(`CREATE SCHEMA ${name}`);
        await expect(
          crm.app.get(TenantProvisioner).adopt(name, name.replaceAll('_', '-'), { force: true }),
        ).resolves.toMatchObject({ schemaName: name });
      }
    });
  });

  it.each([
    ['views', 'CREATE VIEW other.', ' AS SELECT'],
    ['tables of other columns', 'CREATE TABLE other.', ' AS SELECT 1 AS'],
  ])('run nothing of a schema that looks like a registry and has %s', async (what, create, as) => {
    await database.query(
      `CREATE SCHEMA other; CREATE TABLE called (who text); CREATE TABLE other.registry_migrations ();
       CREATE FUNCTION other.call() RETURNS uuid LANGUAGE plpgsql AS $$
         BEGIN INSERT INTO public.called VALUES (current_user); RETURN pg_catalog.gen_random_uuid(); END $$`,
    );
    for (const [table, columns] of [
      ['registry_identity', 'other.call() AS id'],
      ['tenants', `other.call()::text AS slug, other.call()::text AS schema_name, '' AS status`],
      ['spares', 'other.call()::text AS schema_name'],
    ])
      await database.query(`${create}${table}${as} ${what === 'views' ? columns : 'something'}`);
    await database.query('CREATE SCHEMA legacy');
    const { app } = await start();
    await app.get(TenantProvisioner).adopt('legacy', 'legacy', { force: true });
    await app.get(TenantSweeper).sweep();
    await expect(database.query('SELECT * FROM called')).resolves.toEqual([]);
  });

  it('run no policy of a schema that looks like a registry', async () => {
    await database.query(
      `CREATE SCHEMA other; CREATE TABLE other.registry_migrations (); CREATE TABLE other.tenants ();
       CREATE FUNCTION other.call() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE 'called'; END $$;
       CREATE TABLE other.registry_identity AS SELECT pg_catalog.gen_random_uuid() AS id;
       ALTER TABLE other.registry_identity ENABLE ROW LEVEL SECURITY;
       CREATE POLICY p ON other.registry_identity USING (other.call());
       GRANT USAGE ON SCHEMA other TO pg_monitor; GRANT SELECT ON other.registry_identity TO pg_monitor`,
    );
    const client = new Client({ connectionString: database.url });
    await client.connect();
    try {
      // Who is no superuser, whom policies do not hold.
      await client.query('SET ROLE pg_monitor');
      const executor = {
        query: async (sql: string, values?: unknown[]) => (await client.query(sql, values)).rows,
      };
      await expect(findNeighbours(executor, 'tenancy')).resolves.toEqual([{ schemaName: 'other' }]);
    } finally {
      await client.end();
    }
  });

  it('do not wait for each other’s template', async () => {
    const shop = await start(SHOP);
    const other = await start();
    const held = new Client({ connectionString: database.url });
    await held.connect();
    await held.query('BEGIN; SELECT pg_advisory_xact_lock(8387230210669507685)');
    await shop.create({ slug: 'acme' });
    const waiting = other.create({ slug: 'acme' });
    const isWaiting = async () =>
      (
        await database.query(`SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
          WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted`)
      ).length > 0;
    while (!(await isWaiting()));
    await held.end();
    await waiting;
  });

  describe('a schema', () => {
    it('says from the start whose it is, whatever the way to it', async () => {
      const app = await start({ spares: { count: 1 } });
      const provisioner = app.app.get(TenantProvisioner);
      await app.app.get(SpareRefill).refill();
      const [{ name: spare }] = await database.query<{ name: string }>(
        'SELECT schema_name AS name FROM tenancy.spares',
      );
      const [{ id }] = await database.query<{ id: string }>('SELECT id FROM tenancy.registry_identity');
      expect(await commentOf(spare)).toBe(`waits for a tenant; registry ${id}`);
      await database.query(
        'CREATE SCHEMA legacy; CREATE TABLE legacy.note (id serial PRIMARY KEY, text varchar NOT NULL)',
      );
      for (const tenant of [
        await app.create({ slug: 'created' }),
        await app.create({ slug: 'created-too' }),
        await provisioner.clone('created', 'cloned'),
        await provisioner.adopt('legacy', 'adopted'),
      ])
        expect(await commentOf(tenant.schemaName)).toBe(`tenant ${tenant.slug}; registry ${id}`);
      const { schemaName } = await app.app.get(TenantLifecycle).update('created', { slug: 'renamed' });
      expect(await commentOf(schemaName)).toBe(`tenant renamed; registry ${id}`);
    });

    it('that does not say so is never purged; the refusal tells how to mark it, and nothing is lost', async () => {
      const app = await start();
      const { schemaName } = await deleted(app, 'acme');
      const purge = () => app.app.get(TenantPurge).purge('acme');
      for (const text of ['by hand', 'tenant acme; registry 01234567-89ab-4cde-8f01-23456789abcd']) {
        await comment(schemaName, text);
        await expect(purge()).rejects.toMatchObject({ code: 'SCHEMA_NOT_MARKED', statusCode: 409 });
        await expect(sweep(app)).resolves.toMatchObject({
          purged: [],
          problems: [expect.stringContaining('COMMENT ON SCHEMA')],
        });
      }
      await expect(app.app.get(TenantLifecycle).restore('acme')).resolves.toMatchObject({ status: 'active' });
      await app.app.get(TenantLifecycle).delete('acme');
      const refusal = await purge().catch(String);
      await database.query(/COMMENT ON .*/.exec(refusal as string)![0]);
      await expect(purge()).resolves.toMatchObject({ schemaName });
      await expect(schemasOf(database)).resolves.toEqual([]);
    });

    it('keeps its mark, or the want of it, when its tenant is renamed', async () => {
      const app = await start();
      const { schemaName } = await app.create({ slug: 'acme' });
      await comment(schemaName, 'by hand');
      await app.app.get(TenantLifecycle).update('acme', { slug: 'globex' });
      expect(await commentOf(schemaName)).toBe('by hand');
      expect(app.log.warnings).toContainEqual(expect.stringContaining('still has an old slug'));
    });

    it('of a version that wrote no marks is marked by the first sweep, tenant or spare, and no other is', async () => {
      const app = await start({ spares: { count: 1 } });
      const { schemaName } = await app.create({ slug: 'acme' });
      await app.app.get(SpareRefill).refill();
      const [{ name: spare }] = await database.query<{ name: string }>(
        'SELECT schema_name AS name FROM tenancy.spares',
      );
      const stranger = 't_aaaaaaaaaaaaaaaaaaaa';
      await database.query(`CREATE SCHEMA ${stranger}`);
      await comment(schemaName, 'tenant acme');
      await comment(stranger, 'tenant somebody');
      await comment(spare, 'waits for a tenant');
      await expect(sweep(app)).resolves.toMatchObject({
        orphans: { dropped: [], unmarked: [stranger] },
        problems: [],
      });
      expect(await commentOf(schemaName)).toMatch(new RegExp(`^tenant acme; registry ${UUID}$`));
      expect(await commentOf(spare)).toMatch(new RegExp(`^waits for a tenant; registry ${UUID}$`));
      expect(await commentOf(stranger)).toBe('tenant somebody');
    });

    it('of such a version is marked by the purge itself, where nothing is swept', async () => {
      const app = await start();
      const { schemaName } = await deleted(app, 'acme');
      await comment(schemaName, 'tenant acme');
      await expect(app.app.get(TenantPurge).purge('acme')).resolves.toMatchObject({ schemaName });
      await expect(schemasOf(database)).resolves.toEqual([]);
    });

    it('of a spare that is another’s by now is given up, and not dropped', async () => {
      const app = await start({ spares: { count: 1 } });
      await app.app.get(SpareRefill).refill();
      const [{ name: spare }] = await database.query<{ name: string }>(
        'SELECT schema_name AS name FROM tenancy.spares',
      );
      await comment(spare, 'by hand');
      await database.query(`UPDATE tenancy.spares SET template_version = 'older'`);
      await app.app.get(SpareRefill).refill();
      expect(app.log.warnings).toContainEqual(expect.stringContaining('A spare is given up'));
      await expect(schemasOf(database)).resolves.toContain(spare);
      await expect(schemasOf(database)).resolves.toHaveLength(2);
    });

    it('of a tenant of a store elsewhere is marked, too', async () => {
      const store = new InMemoryTenantStore();
      const app = await start({ store });
      const { schemaName } = await deleted(app, 'acme');
      await comment(schemaName, 'tenant acme');
      await sweep(app);
      await expect(app.app.get(TenantStore).list({ limit: 9 })).resolves.toEqual([]);
      await expect(schemasOf(database)).resolves.toEqual([]);
    });
  });

  it('leave schemas that say nothing to people, and tell of them once', async () => {
    const stranger = 't_aaaaaaaaaaaaaaaaaaaa';
    await database.query(`CREATE SCHEMA ${stranger}`);
    const app = await start({ sweeper: { intervalMs: 1, orphanAfterMs: 0 } });
    const told = () => app.log.warnings.filter((warning) => warning.includes(stranger)).length;
    while (told() === 0) await sweep(app);
    for (let i = 0; i < 5; i++)
      await expect(sweep(app)).resolves.toMatchObject({ orphans: { unmarked: [stranger] } });
    expect(told()).toBe(1);
    await expect(schemasOf(database)).resolves.toEqual([stranger]);
  });
});
