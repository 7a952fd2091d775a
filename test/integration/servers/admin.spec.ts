import { randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import { fromHeader, TenantProvisioner, TenantStore, TenantSweeper, type Tenant } from '../../../lib';
import { ApiKeys, fromApiKey, ManagerElsewhereError, TenancyAccessModule } from '../../../lib/access';
import { TenancyAdminModule } from '../../../lib/admin';
import { rawRequest } from '../../support/raw-request';
import { MASTER_KEY } from '../../support/sample-app';
import { startWorld, type World } from './world';

let world: World;
beforeAll(async () => {
  world = await startWorld(
    { resolvers: [fromHeader('x-tenant-id'), fromApiKey()], sweeper: { intervalMs: 0, orphanAfterMs: 0 } },
    undefined,
    { imports: [TenancyAccessModule.forRoot(), TenancyAdminModule.forRoot({ masterKey: MASTER_KEY })] },
  );
});
afterAll(async () => {
  // Tenants, their keys and their audit are in the registry alone.
  expect(await world.eu.query(`SELECT to_regclass('tenancy.api_keys') AS keys`)).toEqual([{ keys: null }]);
  for (const table of ['tenants', 'tenant_event_outbox'])
    expect([table, await world.eu.query(`SELECT * FROM tenancy.${table}`)]).toEqual([table, []]);
  await world.close();
});
afterEach(() => jest.restoreAllMocks());

const call = (line: string, body?: unknown, headers: Record<string, string> = {}) => {
  const [method, path] = line.split(' ');
  return rawRequest(world.url, path, {
    method,
    headers: {
      'x-master-key': MASTER_KEY,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
};
const make = (slug: string, more: object = {}, headers?: Record<string, string>) =>
  call('POST /admin/tenants', { slug, place: { server: 'eu' }, ...more }, headers);
const me = (key: string) => rawRequest(world.url, '/me', { headers: { 'x-api-key': key } });
const find = (slug: string) => world.app.get<TenantStore>(TenantStore).find({ by: 'slug', value: slug });
const keysOf = (id: string) =>
  world.database.query('SELECT FROM tenancy.api_keys WHERE tenant_id = $1', [id]);
const schemasOfEu = () => world.eu.query(`SELECT nspname FROM pg_namespace WHERE nspname ~ '^t_' ORDER BY 1`);

it('makes a tenant where and how it is asked for, and lists those of a server', async () => {
  await expect(make('acme')).resolves.toMatchObject({
    status: 201,
    body: { place: { server: 'eu', isolation: 'schema' }, status: 'active' },
  });
  await expect(call('POST /admin/tenants', { slug: 'globex' })).resolves.toMatchObject({
    body: { place: { server: 'default' } },
  });
  const slugsOf = async (query: string) => {
    const { body } = await call(`GET /admin/tenants?${query}`);
    return body.data.map(({ slug }: Tenant) => slug);
  };
  expect(await slugsOf('server=eu')).toEqual(['acme']);
  expect(await slugsOf('server=default')).toEqual(['globex']);
  await expect(make('own', { place: { isolation: 'database' } })).resolves.toMatchObject({
    status: 201,
    body: { place: { server: 'default', isolation: 'database' } },
  });
  expect(await slugsOf('isolation=database')).toEqual(['own']);
  expect(await slugsOf('isolation=schema')).toEqual(['acme', 'globex']);
  await call('DELETE /admin/tenants/own');
  await expect(call('DELETE /admin/tenants/own?purge=true')).resolves.toMatchObject({ status: 204 });
  await expect(call('GET /admin/tenants?server=us')).resolves.toMatchObject({
    status: 400,
    body: { errors: [{ field: 'server', message: 'must be one of default, eu' }] },
  });
});

it.each([
  ['place', 'eu'],
  ['place', null],
  ['place', ['eu']],
  ['place.server', { server: 7 }],
  ['place.server', { server: null }],
  ['place.isolation', { isolation: 'rows' }],
  ['place.region', { region: 'eu' }],
  ['place.toString', { toString: 'eu' }],
])('refuses what is no place, and names %s: %j', async (field, place) => {
  await expect(make('nowhere', { place })).resolves.toMatchObject({
    status: 400,
    body: { code: 'VALIDATION_FAILED', errors: [{ field }] },
  });
});

it('answers 409 for a place that is not possible', async () => {
  await expect(make('nowhere', { place: { server: 'us' } })).resolves.toMatchObject({
    status: 409,
    body: { code: 'PLACE_NOT_POSSIBLE' },
  });
});

it('gives a repeated request the same tenant, and refuses its key for another place', async () => {
  const headers = { 'idempotency-key': randomUUID() };
  const made = await make('once', {}, headers);
  await expect(make('once', {}, headers)).resolves.toEqual(made);
  await expect(make('once', { place: { server: 'default' } }, headers)).resolves.toMatchObject({
    status: 422,
  });
});

it('gives a tenant on a further server its first key, where the registry is', async () => {
  const { status, body } = await make('with-key', { apiKey: true });
  expect([status, body.place.server]).toEqual([201, 'eu']);
  await expect(me(body.apiKey.key)).resolves.toMatchObject({ body: { tenant: { slug: 'with-key' } } });
  const audit = await world.database.query<{ type: string }>(
    'SELECT type FROM tenancy.tenant_event_outbox WHERE tenant_id = $1 ORDER BY n',
    [body.id],
  );
  expect(audit.map(({ type }) => type)).toEqual(['tenant.created', 'api-key.created']);
});

it('keeps neither key nor tenant when the schema is not committed', async () => {
  const before = await schemasOfEu();
  const keys = await world.database.query('SELECT FROM tenancy.api_keys');
  const create = ApiKeys.prototype.create;
  const made: string[] = [];
  jest.spyOn(ApiKeys.prototype, 'create').mockImplementationOnce(async function (this: ApiKeys, ...args) {
    made.push((await create.apply(this, args)).id);
    throw new Error('lost');
  });
  await expect(make('half', { apiKey: true })).resolves.toMatchObject({ status: 500 });
  expect(made).toHaveLength(1);
  expect(await find('half')).toBeUndefined();
  expect([await schemasOfEu(), await world.database.query('SELECT FROM tenancy.api_keys')]).toEqual([
    before,
    keys,
  ]);
});

describe('when a process dies between the server and the registry', () => {
  /** As it leaves things: the row is provisioning, and the key is there. */
  const leave = async (slug: string, { hasSchema }: { hasSchema: boolean }) => {
    const headers = { 'idempotency-key': randomUUID() };
    const { body } = await make(slug, { apiKey: true }, headers);
    await world.app.get<TenantStore>(TenantStore).update(body.id, { status: 'provisioning' });
    if (!hasSchema) await world.eu.query(`DROP SCHEMA ${body.schemaName} CASCADE`);
    await world.database.query(
      `UPDATE tenancy.idempotency_keys SET answer = NULL, claimed_until = '-infinity'`,
    );
    return { id: body.id as string, text: body.apiKey.key as string, headers };
  };

  it('the sweeper removes the key with a tenant that has no schema', async () => {
    const { id } = await leave('swept', { hasSchema: false });
    const { halfMade } = await world.app.get(TenantSweeper).sweep();
    expect(halfMade).toEqual({ activated: [], removed: ['swept'] });
    expect([await find('swept'), await keysOf(id)]).toEqual([undefined, []]);
  });

  it.each([true, false])('the next attempt ends it (with a schema: %s)', async (hasSchema) => {
    const slug = `tried-${hasSchema}`;
    const left = await leave(slug, { hasSchema });
    const { status, body } = await make(slug, { apiKey: true }, left.headers);
    expect([status, body.status, body.id === left.id]).toEqual([201, 'active', hasSchema]);
    expect(await keysOf(body.id)).toHaveLength(1);
    if (!hasSchema) expect(await keysOf(left.id)).toEqual([]);
    expect((await me(body.apiKey.key)).status).toBe(200);
    expect((await me(left.text)).status).toBe(401);
  });
});

it('refuses to make a key with a manager of another database', async () => {
  const keys = world.app.get(ApiKeys);
  const within = async ({ id }: Tenant, manager: EntityManager) => {
    await keys.create(id, { name: 'first' }, { manager });
  };
  const provisioner = world.app.get(TenantProvisioner);
  await expect(
    provisioner.create({ slug: 'elsewhere' }, { place: { server: 'eu' }, within }),
  ).rejects.toBeInstanceOf(ManagerElsewhereError);
  expect(await find('elsewhere')).toBeUndefined();
  await expect(provisioner.create({ slug: 'here' }, { within })).resolves.toMatchObject({ slug: 'here' });
});
