import { Client } from 'pg';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  FleetMigrator,
  type ProvisionHook,
  type Tenant,
  TenantLifecycle,
  TenantProvisioner,
  TenantPurge,
  TenantSweeper,
  type TenancyOptions,
} from '../../../lib';
import { SpareRefill } from '../../../lib/provisioning/spares/spare-refill';
import { roleOfSchema } from '../../../lib/registry/tenant-role';
import { CreateNotes1700000000000 } from '../../support/notes';
import { RolesApp, startRolesApp, startRolesAppOn } from './app';

/** No background work but what a test asks for. */
const QUIET: Partial<TenancyOptions> = { sweeper: { intervalMs: 0, orphanAfterMs: 0 } };

describe('the role of a tenant', () => {
  let running: RolesApp;

  beforeAll(async () => {
    running = await startRolesApp(QUIET);
  });
  afterAll(() => running.close());

  /** Roles named like tenants' that the login role may become. */
  async function roles(): Promise<string[]> {
    const found = await running.database.query<{ name: string }>(
      `SELECT r.rolname AS name FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
       WHERE m.member = $1::regrole ORDER BY 1`,
      [running.database.login],
    );
    return found.map(({ name }) => name);
  }

  const provisioner = () => running.app.get(TenantProvisioner);

  const write = (tenant: Tenant, text: string) =>
    running.as(tenant, 'INSERT INTO note (text) VALUES ($1)', [text]);
  const read = async (tenant: Tenant) =>
    (await running.as<{ text: string }>(tenant, 'SELECT text FROM note')).map(({ text }) => text);

  async function end(tenant: Tenant): Promise<void> {
    await running.app.get(TenantLifecycle).delete(tenant.slug);
    await running.app.get(TenantPurge).purge(tenant.slug);
  }

  it('does not bind what the maker of the tenant keeps with it, in the registry too', async () => {
    const seen: unknown[] = [];
    const within: ProvisionHook = async ({ id }, manager) => {
      await manager.query(`INSERT INTO note (text) VALUES ('kept')`);
      seen.push(...(await manager.query('SELECT slug FROM tenancy.tenants WHERE id = $1', [id])));
    };
    const tenant = await provisioner().create({ slug: 'kept-with' }, { within });
    expect(seen).toEqual([{ slug: 'kept-with' }]);
    await expect(read(tenant)).resolves.toEqual(['kept']);
    await end(tenant);
  });

  it('is made with it, cannot log in, and goes with it', async () => {
    const tenant = await running.create({ slug: 'short-lived' });
    const [role] = await running.database.query(
      'SELECT rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = $1',
      [tenant.schemaName],
    );
    expect(new Set(Object.values(role))).toEqual(new Set([false]));
    await write(tenant, 'kept');
    await end(tenant);
    await expect(roles()).resolves.not.toContain(tenant.schemaName);
    await expect(
      running.database.query('SELECT FROM pg_roles WHERE rolname = $1', [tenant.schemaName]),
    ).resolves.toEqual([]);
  });

  it('is not made when the tenant is not', async () => {
    await running.create({ slug: 'taken' });
    const before = await roles();
    await expect(running.create({ slug: 'taken' })).rejects.toMatchObject({ code: 'TENANT_SLUG_TAKEN' });
    await expect(roles()).resolves.toEqual(before);
  });

  it('stays when the tenant is renamed, suspended, deleted and restored', async () => {
    const tenant = await running.create({ slug: 'old-name' });
    const lifecycle = running.app.get(TenantLifecycle);
    await lifecycle.update('old-name', { slug: 'new-name' });
    await lifecycle.suspend('new-name');
    await lifecycle.delete('new-name');
    await lifecycle.restore('new-name');
    await expect(roles()).resolves.toContain(tenant.schemaName);
    await expect(read(tenant)).resolves.toEqual([]);
  });

  it('is made anew for a copy, which has no grant for the role of its source', async () => {
    const source = await running.create({ slug: 'source' });
    await write(source, 'copied');
    const copy = await provisioner().clone('source', 'copy');
    await expect(read(copy)).resolves.toEqual(['copied']);
    await write(copy, 'own');
    await expect(read(source)).resolves.toEqual(['copied']);
    const grants = await running.database.query<{ acl: string }>(
      `SELECT relacl::text AS acl FROM pg_class WHERE relnamespace = $1::regnamespace AND relacl IS NOT NULL
       UNION ALL SELECT defaclacl::text FROM pg_default_acl WHERE defaclnamespace = $1::regnamespace
       UNION ALL SELECT nspacl::text FROM pg_namespace WHERE oid = $1::regnamespace`,
      [copy.schemaName],
    );
    expect(grants.length).toBeGreaterThan(3);
    expect(grants.filter(({ acl }) => acl.includes(source.schemaName))).toEqual([]);
  });

  it('has what later migrations make', async () => {
    const tenant = await running.create({ slug: 'migrated' });
    class AddTag1700000000001 implements MigrationInterface {
      async up(queryRunner: QueryRunner): Promise<void> {
        await queryRunner.query('CREATE TABLE tag (id serial PRIMARY KEY, name text)');
        await queryRunner.query(
          `CREATE FUNCTION tags() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM tag'`,
        );
        await queryRunner.query('REVOKE ALL ON FUNCTION tags() FROM PUBLIC');
      }
      async down(): Promise<void> {}
    }
    class IndexTag1700000000002 implements MigrationInterface {
      readonly transaction = false;
      async up(queryRunner: QueryRunner): Promise<void> {
        await queryRunner.query('CREATE INDEX CONCURRENTLY tag_name ON tag (name)');
        await queryRunner.query('CREATE TABLE colour (id int)');
      }
      async down(): Promise<void> {}
    }
    const later = await startRolesAppOn(running.database, {
      ...QUIET,
      migrations: [CreateNotes1700000000000, AddTag1700000000001, IndexTag1700000000002],
    });
    await expect(later.app.get(FleetMigrator).up()).resolves.toMatchObject({ state: 'done', failed: [] });
    const made = await later.create({ slug: 'made-later' });
    await later.close();
    for (const each of [tenant, made]) {
      await running.as(each, `INSERT INTO tag (name) VALUES ('red')`);
      await expect(running.as(each, 'SELECT tags()::int AS n')).resolves.toEqual([{ n: 1 }]);
      await expect(running.as(each, 'SELECT * FROM colour')).resolves.toEqual([]);
    }
  });

  it('is named by a hash for a schema that is adopted, which may be called like a login', async () => {
    const { admin, login } = running.database;
    await running.context.runAsSystem(() =>
      running.admin.query(`CREATE SCHEMA ${login}; CREATE TABLE ${login}.note (id int, text text)`),
    );
    const tenant = await provisioner().adopt(login, 'adopted', { force: true });
    const role = roleOfSchema(login);
    expect(role).toMatch(/^t_[0-9a-f]{20}$/);
    await expect(running.as(tenant, 'SELECT current_user AS who')).resolves.toEqual([{ who: role }]);
    await running.as(tenant, `INSERT INTO note VALUES (1, 'mine')`);
    await expect(read(tenant)).resolves.toEqual(['mine']);
    await end(tenant);
    await expect(roles()).resolves.not.toContain(role);
    await expect(
      running.database.query('SELECT FROM pg_roles WHERE rolname = ANY ($1)', [[admin, login]]),
    ).resolves.toHaveLength(2);
  });

  it('waits while a session still has a temporary table of it, and the sweeper comes back for it', async () => {
    const tenant = await running.create({ slug: 'in-session' });
    const client = new Client({ connectionString: running.database.loginUrl });
    await client.connect();
    await client.query(`SET ROLE ${tenant.schemaName}; CREATE TEMP TABLE left_open (id int)`);
    await end(tenant);
    await expect(roles()).resolves.toContain(tenant.schemaName);
    await running.app.get(TenantSweeper).sweep();
    await expect(roles()).resolves.toContain(tenant.schemaName);
    await client.end();
    await untilGone(tenant.schemaName);
  });

  /** A session ends some moments after its client has said goodbye. */
  async function untilGone(role: string): Promise<void> {
    for (;;) {
      const report = await running.app.get(TenantSweeper).sweep();
      expect(report.problems).toEqual([]);
      if (!(await roles()).includes(role)) return;
    }
  }

  it('is dropped with a schema that belongs to nobody', async () => {
    const tenant = await running.create({ slug: 'forgotten' });
    await running.database.query('DELETE FROM tenancy.tenant_migrations WHERE tenant_id = $1', [tenant.id]);
    await running.database.query('DELETE FROM tenancy.tenants WHERE id = $1', [tenant.id]);
    const { orphans, problems } = await running.app.get(TenantSweeper).sweep();
    expect(problems).toEqual([]);
    expect(orphans.dropped).toEqual([tenant.schemaName]);
    await expect(roles()).resolves.not.toContain(tenant.schemaName);
  });

  it('keeps the drift check: what people grant is seen, what the role has is not', async () => {
    const tenant = await running.create({ slug: 'drifting' });
    const asOwner = (sql: string) => running.context.runAsSystem(() => running.admin.query<unknown>(sql));
    await running.database.query('DELETE FROM tenancy.tenant_migrations WHERE tenant_id = $1', [tenant.id]);
    await running.database.query('DELETE FROM tenancy.tenants WHERE id = $1', [tenant.id]);
    // Its own role's grants are there, and make no difference.
    const adopted = await provisioner().adopt(tenant.schemaName, 'drifting');
    await running.database.query('DELETE FROM tenancy.tenant_migrations WHERE tenant_id = $1', [adopted.id]);
    await running.database.query('DELETE FROM tenancy.tenants WHERE id = $1', [adopted.id]);
    await asOwner(`GRANT SELECT ON ${tenant.schemaName}.note TO PUBLIC`);
    await expect(provisioner().adopt(tenant.schemaName, 'drifting')).rejects.toMatchObject({
      code: 'SCHEMA_DIFFERS',
      differences: ['grants on table note is not in the template'],
    });
  });
});

describe('spares', () => {
  it('have their roles when a tenant takes them', async () => {
    const running = await startRolesApp({ ...QUIET, spares: { count: 1 } });
    await running.app.get(SpareRefill).refill();
    const [spare] = await running.database.query<{ schema_name: string }>(
      'SELECT schema_name FROM tenancy.spares',
    );
    const members = await running.database.query('SELECT FROM pg_auth_members WHERE roleid = $1::regrole', [
      spare.schema_name,
    ]);
    expect(members.length).toBeGreaterThan(0);
    const tenant = await running.create({ slug: 'acme' });
    expect(tenant.schemaName).toBe(spare.schema_name);
    await expect(running.as(tenant, 'SELECT text FROM note')).resolves.toEqual([]);
    await running.close();
  });
});

describe('tenants that were made without roles', () => {
  it('are given them by the first start with roles: true, however many instances start', async () => {
    const running = await startRolesApp(QUIET);
    const { adminUrl } = running.database;
    // The application as it was: everything by the owner.
    const before = await startRolesAppOn(running.database, {
      ...QUIET,
      roles: false,
      spares: { count: 2 },
      database: { url: adminUrl, adminUrl: undefined },
    });
    await before.app.get(SpareRefill).refill();
    const tenants = [await before.create({ slug: 'acme' }), await before.create({ slug: 'globex' })];
    await before.app.get(SpareRefill).refill();
    await before.close();
    await expect(running.as(tenants[0], 'SELECT 1')).rejects.toMatchObject({
      driverError: { code: '22023', hint: expect.stringContaining('TenantSweeper.sweep()') },
    });

    const started = await Promise.all([1, 2].map(() => startRolesAppOn(running.database, QUIET)));
    for (const tenant of tenants)
      await expect(running.as(tenant, 'SELECT text FROM note')).resolves.toEqual([]);
    const [{ spares }] = await running.database.query<{ spares: number }>(
      `SELECT count(*)::int AS spares FROM tenancy.spares s JOIN pg_roles r ON r.rolname = s.schema_name`,
    );
    expect(spares).toBe(2);
    for (const each of started) await each.close();
    await running.close();
  });
});
