import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { TenantLifecycle, TenantPurge } from '../../../lib';
import { ApiKeys, fromApiKey } from '../../../lib/access';
import { ApiKeyUses } from '../../../lib/access/api-key-uses';
import { CreateTenantApiKeys1763600500000 } from '../../../lib/access/migrations/1763600500000-create-tenant-api-keys';
import { examine } from '../../../lib/cli/doctor/examine';
import { KNOWN_MIGRATIONS } from '../../../lib/cli/doctor/known-migrations';
import { resolveOptions } from '../../../lib/options/resolve-options';
import { PURGED_WITH_TENANT } from '../../../lib/provisioning/purge/purge-records';
import { MembersService } from '../../../lib/members';
import { CreateInvitations1763601660000 } from '../../../lib/members/migrations/1763601660000-create-invitations';
import { CreateSupportAccess1763601670000 } from '../../../lib/members/migrations/1763601670000-create-support-access';
import { CreateTenantMembers1763601650000 } from '../../../lib/members/migrations/1763601650000-create-tenant-members';
import { openRegistry, registryOptions } from '../../../lib/registry/registry';
import { CORE_MIGRATIONS, type RegistryMigration } from '../../../lib/registry/registry-migrations';
import { CreateTimers1763601400000 } from '../../../lib/schedule/migrations/1763601400000-create-timers';
import { TenantSettings } from '../../../lib/settings';
import { CreateTenantSettings1763600800000 } from '../../../lib/settings/migrations/1763600800000-create-tenant-settings';
import { TenantUsage } from '../../../lib/usage';
import { CreateUsage1763600900000 } from '../../../lib/usage/migrations/1763600900000-create-usage';
import { CreateWebhooks1763601800000 } from '../../../lib/webhooks/migrations/1763601800000-create-webhooks';
import type { TenancyOptions } from '../../../lib';
import { notesOptions } from '../../support/notes';
import type { TestApp } from '../../support/test-app';
import { ownDatabase, startAppOn } from '../provisioning/app';
import {
  ALL,
  CORE_TABLES,
  ledgerOf,
  type ModuleName,
  MODULES,
  tablesIn,
  tablesWith,
  withNeeded,
} from './module-tables';

const own = ownDatabase();
const { database } = own;

function start(given: readonly ModuleName[], changes: Partial<TenancyOptions> = {}): Promise<TestApp> {
  const modules = withNeeded(given);
  return own.start(
    {
      ...(modules.includes('access') ? { resolvers: [fromApiKey()] } : {}),
      ...changes,
    },
    { imports: modules.map((name) => MODULES[name]()) },
  );
}

describe('the registry', () => {
  it('has no tables of modules that no application imports', async () => {
    await start([]);
    expect(await tablesIn(database)).toEqual(CORE_TABLES);
  });

  it.each<[ModuleName]>(ALL.map((name) => [name]))('has those of %s where that is imported', async (name) => {
    await start([name]);
    expect(await tablesIn(database)).toEqual(tablesWith([name]));
  });

  it('gets them when a module is imported later, while an instance without it goes on', async () => {
    const before = await start([]);
    const { id } = await before.create({ slug: 'acme' });
    const after = await start(ALL);
    expect(await tablesIn(database)).toEqual(tablesWith(ALL));
    expect(await after.app.get(TenantLifecycle).get('acme')).toMatchObject({ id });
    await before.app.get(TenantLifecycle).suspend('acme');
    expect(await after.app.get(TenantLifecycle).get('acme')).toMatchObject({ status: 'suspended' });
    // One more without it finds nothing to do, and nothing amiss.
    const ledger = await ledgerOf(database);
    await start([], { registry: { migrate: false } });
    expect(await ledgerOf(database)).toEqual(ledger);
  });

  it('is made once by ten instances that start at once with different modules', async () => {
    const sets: ModuleName[][] = [[], ['access'], ['admin'], ['settings'], ['usage'], ALL, [], ALL];
    await Promise.all(
      [...sets, ['access', 'usage'] as const, ['admin', 'settings'] as const].map((set) => start(set)),
    );
    expect(await tablesIn(database)).toEqual(tablesWith(ALL));
    expect(await ledgerOf(database)).toEqual(KNOWN_MIGRATIONS.map(({ name }) => name).sort());
  });

  it('lacks what a module needs, says an instance that may not make it, and names nothing else', async () => {
    await start(['usage']);
    await expect(start(['usage', 'settings'], { registry: { migrate: false } })).rejects.toMatchObject({
      code: 'REGISTRY_NOT_MIGRATED',
      pending: ['CreateTenantSettings1763600800000'],
      message: expect.stringMatching(
        /"tenancy" lacks these migrations: CreateTenantSettings1763600800000\. /,
      ),
    });
    expect(await tablesIn(database)).toEqual(tablesWith(['usage']));
  });
});

describe('a role that may make no tables', () => {
  let role: string;
  beforeEach(async () => {
    role = `poor_${new URL(database.url).pathname.slice(1)}`;
    await start([]);
    await database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'pw'; GRANT USAGE ON SCHEMA tenancy TO ${role};
      GRANT SELECT ON tenancy.registry_migrations TO ${role}`);
  });
  afterEach(() => database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`));

  /** As an application that logs in as this role does, which has these modules' tables. */
  async function open(...modules: readonly RegistryMigration[]): Promise<void> {
    const url = Object.assign(new URL(database.url), { username: role, password: 'pw' }).href;
    const registry = new DataSource(registryOptions({ url, migrations: [...CORE_MIGRATIONS, ...modules] }));
    await openRegistry(registry);
    await registry.destroy();
  }

  it('is enough where there is nothing to make', async () => {
    await expect(open()).resolves.toBeUndefined();
  });

  it('is told in words what a module wants of it', async () => {
    await expect(open(CreateUsage1763600900000)).rejects.toMatchObject({
      code: 'REGISTRY_RIGHTS_MISSING',
      pending: ['CreateUsage1763600900000'],
      message: expect.stringMatching(
        /"tenancy" lacks these migrations: CreateUsage1763600900000\. The role that logs in may not run them: permission denied for schema tenancy\. Run "tenancy migrate up" as the role that owns .*GRANT CREATE ON SCHEMA "tenancy" TO <role>, /,
      ),
    });
    expect(await tablesIn(database)).toEqual(CORE_TABLES);
  });

  it('may be given the rights that are named', async () => {
    const { message } = (await open(CreateUsage1763600900000).catch((error: Error) => error)) as Error;
    const grants = [...message.matchAll(/GRANT .*? TO <role>/g)].map(([grant]) =>
      grant.replace('<role>', role),
    );
    for (const grant of grants) await database.query(grant);
    await open(CreateUsage1763600900000);
    expect(await tablesIn(database)).toEqual(tablesWith(['usage']));
  });
});

describe('the purge of a tenant', () => {
  it('takes its keys, their uses, its settings and its members, by an instance without those modules, and leaves what is to be billed', async () => {
    const { app, create } = await start(ALL);
    const [acme, globex] = [await create({ slug: 'acme' }), await create({ slug: 'globex' })];
    for (const tenant of [acme, globex]) {
      const { id } = await app.get(ApiKeys).create(tenant.id, { name: 'the till' });
      app.get(ApiKeyUses).record(id);
      await app.get<TenantSettings>(TenantSettings).set('theme', 'dark', { tenant });
      app.get(TenantUsage).count('exports', 3, tenant);
      await app.get(MembersService).add(tenant, { subject: 'ann' });
    }
    await app.get(ApiKeyUses).flush();
    await app.get(TenantUsage).flush();

    const { app: without } = await start([]);
    await without.get(TenantLifecycle).delete('acme');
    await without.get(TenantPurge).purge('acme');

    const left = (sql: string) => database.query(sql);
    await expect(left('SELECT tenant_id FROM tenancy.api_keys')).resolves.toEqual([{ tenant_id: globex.id }]);
    await expect(left('SELECT FROM tenancy.api_key_uses')).resolves.toHaveLength(1);
    await expect(left('SELECT tenant_id FROM tenancy.tenant_settings')).resolves.toEqual([
      { tenant_id: globex.id },
    ]);
    await expect(left('SELECT tenant_id FROM tenancy.tenant_members')).resolves.toEqual([
      { tenant_id: globex.id },
    ]);
    await expect(left('SELECT FROM tenancy.usage_months')).resolves.toHaveLength(2);
  });

  it('leaves tables of the same names that are the application’s own', async () => {
    const { app, create } = await start([]);
    const { id } = await create({ slug: 'acme' });
    await database.query(
      'CREATE TABLE tenancy.tenant_settings (tenant_id uuid); CREATE TABLE tenancy.api_keys (id int)',
    );
    await database.query('INSERT INTO tenancy.tenant_settings VALUES ($1)', [id]);
    await app.get(TenantLifecycle).delete('acme');
    await expect(app.get(TenantPurge).purge('acme')).resolves.toMatchObject({ tenantId: id });
    await expect(database.query('SELECT * FROM tenancy.tenant_settings')).resolves.toEqual([
      { tenant_id: id },
    ]);
  });

  it('names the migrations that made them', () => {
    const brought = [
      CreateTenantApiKeys1763600500000,
      CreateTenantSettings1763600800000,
      CreateTimers1763601400000,
      CreateTenantMembers1763601650000,
      CreateInvitations1763601660000,
      CreateSupportAccess1763601670000,
      CreateSupportAccess1763601670000,
      CreateSupportAccess1763601670000,
      CreateWebhooks1763601800000,
      CreateWebhooks1763601800000,
      CreateWebhooks1763601800000,
    ];
    const names = brought.flatMap(({ name, partOf }: RegistryMigration) => [
      name,
      ...(partOf ? [partOf] : []),
    ]);
    expect(Object.values(PURGED_WITH_TENANT).flat()).toEqual(names);
  });

  it('needs none of their tables', async () => {
    const { app, create } = await start([]);
    const { id } = await create({ slug: 'acme' });
    await app.get(TenantLifecycle).delete('acme');
    await expect(app.get(TenantPurge).purge('acme')).resolves.toMatchObject({ tenantId: id });
  });

  it('has an answer for each table with the id of a tenant', async () => {
    await start(ALL);
    const found = await database.query<{ name: string }>(
      `SELECT table_name AS name FROM information_schema.columns
       WHERE table_schema = 'tenancy' AND column_name = 'tenant_id' ORDER BY 1`,
    );
    const handled = ['purges', 'tenant_domains', 'tenant_migrations'];
    // To be billed, the id of what a repeated request would make, and where something may still have to be dropped.
    const kept = ['usage_months', 'idempotency_keys', 'moves'];
    const trail = ['tenant_event_heads', 'tenant_event_outbox', 'tenant_events'];
    // Those who follow as system have yet to hear of the purge; the others drop it when they hear of it.
    const followed = ['event_backlogs'];
    expect(found.map(({ name }) => name)).toEqual(
      [...handled, ...kept, ...trail, ...followed, ...Object.keys(PURGED_WITH_TENANT)].sort(),
    );
  });
});

describe('the doctor', () => {
  const registryOf = async (migrations = CORE_MIGRATIONS) => {
    const findings = await examine(resolveOptions(notesOptions(database)), migrations);
    return findings.find(({ check }) => check === 'registry');
  };

  it('finds nothing amiss with tables of modules that the application does not import', async () => {
    await start(ALL);
    expect(await registryOf()).toMatchObject({ severity: 'ok' });
  });

  it('tells which tables of its modules are missing', async () => {
    await start(['access']);
    expect(await registryOf(KNOWN_MIGRATIONS)).toMatchObject({
      severity: 'problem',
      message:
        'it lacks CreateMasterKeyUses1763600510000, CreateTenantSettings1763600800000, CreateUsage1763600900000, CreateTimers1763601400000, CreateTenantMembers1763601650000, CreateInvitations1763601660000, CreateSupportAccess1763601670000, CreateEventFollowers1763601700000, CreateWebhooks1763601800000',
    });
  });

  it('knows a registry that is newer', async () => {
    await start([]);
    await database.query(
      `INSERT INTO tenancy.registry_migrations (timestamp, name) VALUES (2000000000000, 'Later2000000000000')`,
    );
    expect(await registryOf()).toMatchObject({
      severity: 'warning',
      message: expect.stringMatching(/newer .*: Later2000000000000$/),
    });
  });

  it('knows each migration of ours', () => {
    const files = readdirSync(join(__dirname, '../../../lib'), { recursive: true, encoding: 'utf8' })
      .map((file) => /migrations\/(\d{13})-/.exec(file)?.[1])
      .filter((timestamp) => timestamp !== undefined);
    const known = KNOWN_MIGRATIONS.map(({ name }) => name.slice(-13));
    expect(known.sort()).toEqual(files.sort());
  });
});

it('a module of an application that was closed leaves nothing behind for the next one', async () => {
  const { app } = await start(ALL);
  await app.close();
  await database.query('DROP SCHEMA tenancy, template CASCADE');
  own.apps.splice(0);
  own.apps.push(await startAppOn(database));
  expect(await tablesIn(database)).toEqual(CORE_TABLES);
});
