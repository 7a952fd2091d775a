import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { TenantConnection, TenantContext, TenantLifecycle, TenantStore, type Tenant } from '../../../lib';
import { fromApiKey } from '../../../lib/access';
import { inSchema } from '../../../lib/schema/catalog';
import { readStructure } from '../../../lib/schema/structure';
import { EventTrail } from '../../../lib/registry/events/event-trail';
import { TenantSettings } from '../../../lib/settings';
import { UsageReports } from '../../../lib/usage';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { CreateNotes1700000000000, Note } from '../../support/notes';
import { rawRequest } from '../../support/raw-request';
import { startAppOn } from '../provisioning/app';
import type { TestApp } from '../../support/test-app';
import {
  ALL,
  ledgerOf,
  type ModuleName,
  MODULES,
  TABLES as TABLES_OF,
  tablesIn,
  tablesWith,
  withNeeded,
} from './module-tables';

const FIXTURE = readFileSync(join(__dirname, 'earlier-registry.sql'), 'utf8');
/** Of acme, in the fixture by its digest. */
const KEY = 'sk_01a2280883d770cab45ad90d32e26b62_iWKTBPfjqSWUS1aCFLnUiIh3NoLD0j6tKKeuEQXsj7631QsAL';

let database: TestDatabase;
let app: TestApp | undefined;

beforeEach(async () => {
  database = await createTestDatabase();
  await database.query(FIXTURE);
});
afterEach(async () => {
  await app?.close();
  app = undefined;
  await database.drop();
});

async function start(given: readonly ModuleName[], migrate = true): Promise<TestApp> {
  const modules = withNeeded(given);
  app = await startAppOn(
    database,
    {
      migrations: [CreateNotes1700000000000],
      registry: { migrate },
      ...(modules.includes('access') ? { resolvers: [fromApiKey()] } : {}),
    },
    { imports: modules.map((name) => MODULES[name]()) },
  );
  return app;
}

/** What migrations have brought since the fixture was made. */
const SINCE = [
  'AddPlaces1763601200000',
  'CreateMoves1763601300000',
  'NoteTenantDatabases1763601350000',
  'SpendLessOnFleetRuns1763601400000',
  'MoveOnline1763601500000',
  'CreateTenantEvents1763601600000',
];
/** The same, where a module is imported that was not there then. */
const sinceThen = (modules: readonly ModuleName[]) => sinceThenOf(withNeeded(modules));
const sinceThenOf = (modules: readonly ModuleName[]) => [
  ...SINCE.slice(0, 4),
  ...(modules.includes('schedule') ? ['CreateTimers1763601400000'] : []),
  ...SINCE.slice(4),
  ...(modules.includes('members')
    ? [
        'CreateTenantMembers1763601650000',
        'CreateInvitations1763601660000',
        'CreateSupportAccess1763601670000',
      ]
    : []),
  ...(modules.includes('events') ? ['CreateEventFollowers1763601700000'] : []),
  ...(modules.includes('webhooks') ? ['CreateWebhooks1763601800000'] : []),
];
const NEW_TABLES = [
  ...['databases', 'moves', 'servers', 'tenant_event_heads', 'tenant_event_outbox', 'tenant_events'],
  ...[...TABLES_OF.schedule, ...TABLES_OF.members, ...TABLES_OF.events],
  // What other modules had before is not new.
  ...TABLES_OF.webhooks.filter((name) => !TABLES_OF.access.includes(name)),
];
const NEW_COLUMNS = ['server', 'server_id', 'isolation', 'placement_version', 'move_id'];

/** All rows of the registry, by table, without what is new. */
async function rowsOf(names: readonly string[]): Promise<Record<string, unknown>> {
  const tables = await Promise.all(
    names.map((name) =>
      database.query(`SELECT to_jsonb(t) - $1::text[] AS row FROM tenancy.${name} t ORDER BY 1`, [
        NEW_COLUMNS,
      ]),
    ),
  );
  return Object.fromEntries(names.map((name, index) => [name, tables[index]]));
}

/** What this version finds out about its own printing of the template depends on the server. */
const TABLES = tablesWith(ALL).filter((name) => !NEW_TABLES.includes(name));
const RECORDED = TABLES.filter((name) => !['template_prints', 'registry_migrations'].includes(name));

it('has rows in every table', async () => {
  expect(await tablesIn(database)).toEqual([...TABLES, 'tenant_audit'].sort());
  for (const rows of Object.values(await rowsOf(RECORDED))) expect(rows).not.toEqual([]);
});

describe.each<[string, readonly ModuleName[]]>([
  ['no module', []],
  ...ALL.map((name): [string, ModuleName[]] => [`${name} alone`, [name]]),
  ['all modules', ALL],
])('with %s', (_what, modules) => {
  it('an instance that migrates runs what is new, and leaves every row as it is; one that may not starts then', async () => {
    const before = await rowsOf(RECORDED);
    const ledger = await ledgerOf(database);
    await expect(start(modules, false)).rejects.toThrow(sinceThen(modules).join(', '));
    for (const migrate of [true, false]) {
      await start(modules, migrate);
      expect(await ledgerOf(database)).toEqual([...ledger, ...sinceThen(modules)].sort());
      expect(await rowsOf(RECORDED)).toEqual(before);
      await app?.close();
    }
    app = undefined;
  });
});

it('is found in all its parts', async () => {
  const { app: nest, url } = await start(ALL);
  const tenant: Tenant = await nest.get(TenantLifecycle).get('acme');
  expect(tenant).toMatchObject({ name: 'Acme', domains: ['acme.test'], metadata: { plan: 'free' } });
  const notes = await nest
    .get(TenantContext)
    .run(tenant, () => nest.get(TenantConnection).getRepository(Note).find());
  expect(notes).toEqual([{ id: 1, text: 'of acme' }]);
  await expect(rawRequest(url, '/me', { headers: { 'x-api-key': KEY } })).resolves.toMatchObject({
    status: 200,
    body: { tenantId: tenant.id, scopes: ['orders:read'] },
  });
  await expect(nest.get<TenantSettings>(TenantSettings).get('theme', tenant)).resolves.toBe('dark');
  const { metrics } = await nest.get(UsageReports).of(tenant, { from: '2026-11-01', to: '2026-11-30' });
  expect(metrics).toMatchObject([{ metric: 'exports', total: 3 }]);
});

it('has in the trail what the audit has recorded, in its order', async () => {
  const before = await database.query<{ tenantId: string }>(
    `SELECT tenant_id AS "tenantId", action, actor, reason, details, at FROM tenancy.tenant_audit ORDER BY id DESC`,
  );
  const { app: nest } = await start([]);
  const store = nest.get(TenantStore);
  for (const tenantId of new Set(before.map((record) => record.tenantId))) {
    const records = await store.listAudit!({ tenantId, limit: 100 });
    expect(records.map(({ id: _, ...record }) => record)).toEqual(
      before.filter((record) => record.tenantId === tenantId),
    );
  }
  const [first] = await nest.get(EventTrail).list({ limit: 1 });
  expect(first).toMatchObject({
    type: 'tenant.created',
    actor: { type: 'operator', id: 'master' },
    sequence: '1',
  });
  // Its id was made when it happened.
  expect(parseInt(first.id.replace('-', '').slice(0, 12), 16)).toBe(first.occurredAt.getTime());
  expect(first.id[14]).toBe('7');
});

it('has the structure of one that is made anew with all modules', async () => {
  const structureOf = async ({ url }: TestDatabase) => {
    const source = await new DataSource({ type: 'postgres', url }).initialize();
    const structure = await source
      .transaction((manager) =>
        inSchema(manager, 'tenancy', (schema, reader) => readStructure(reader, schema)),
      )
      .finally(() => source.destroy());
    // pg_dump makes foreign keys in an order of its own.
    const lines = structure.filter(({ object }) => object !== 'order of the foreign keys on tenants');
    return lines.map((line) => JSON.stringify(line)).sort();
  };
  const fresh = await createTestDatabase();
  try {
    const other = await startAppOn(
      fresh,
      { resolvers: [fromApiKey()] },
      { imports: ALL.map((name) => MODULES[name]()) },
    );
    await other.close();
    await start(ALL);
    expect(await structureOf(database)).toEqual(await structureOf(fresh));
  } finally {
    await fresh.drop();
  }
});
