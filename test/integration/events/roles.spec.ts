import { type Tenant, TenantConnection, TenantProvisioner } from '../../../lib';
import { TenancyEventsModule, TenantEventLog } from '../../../lib/events';
import { SystemTransactions } from '../../../lib/connection/typeorm/system-transactions';
import { makeEventDoor } from '../../../lib/registry/events/event-door';
import { EventTrail } from '../../../lib/registry/events/event-trail';
import { REFUSED, type RolesApp, startRolesApp } from '../roles/app';

let world: RolesApp;
let acme: Tenant;
let globex: Tenant;
let trail: EventTrail;

beforeAll(async () => {
  world = await startRolesApp({}, [TenancyEventsModule.forRoot()]);
  trail = world.app.get(EventTrail);
  const provisioner = world.app.get(TenantProvisioner);
  acme = await provisioner.create({ slug: 'acme' });
  globex = await provisioner.create({ slug: 'globex' });
});
afterAll(() => world?.close());

const typesOf = async ({ id }: Tenant) =>
  (await trail.list({ tenantId: id, limit: 100 })).map(({ type }) => type);

/** What a tenant's role can say by SQL of its own. */
const say = (
  tenantId: string | null,
  type: string,
  { actor = 'system', data = '{}', id = null as string | null } = {},
) =>
  world.as(acme, 'SELECT tenancy_events.record(gen_random_uuid(), $1, $2, $3, $4, NULL, $5)', [
    ...[tenantId, type, actor, id, data],
  ]);

it('records as the role of the tenant', async () => {
  await world.context.run(acme, () =>
    world.app
      .get(TenantConnection)
      .transaction(() => world.app.get(TenantEventLog).record('order.shipped', { a: 1 })),
  );
  expect(await typesOf(acme)).toEqual(['tenant.created', 'order.shipped']);
});

it('lets a role record its own tenant’s events and no other’s, and read none', async () => {
  await say(acme.id, 'said.own');
  await say(globex.id, 'said.forged');
  await say(null, 'said.nobodys');
  await say('01900000-0000-7000-8000-000000000001', 'said.unknown');
  expect(await typesOf(acme)).toEqual(['tenant.created', 'order.shipped', 'said.own']);
  expect(await typesOf(globex)).toEqual(['tenant.created']);
  expect(await trail.list({ types: ['said.*'], limit: 9 })).toHaveLength(1);
  for (const sql of [
    'SELECT * FROM tenancy.tenant_event_outbox',
    'SELECT * FROM tenancy.tenant_events',
    'SELECT * FROM tenancy.tenant_event_heads',
    `INSERT INTO tenancy.tenant_event_outbox (id, type, actor_type, data) VALUES (gen_random_uuid(), 'a.b', 'x', '1')`,
    'DROP FUNCTION tenancy_events.record',
    'CREATE TABLE tenancy_events.mine (id integer)',
  ])
    await expect(world.as(acme, sql)).rejects.toEqual(REFUSED);
});

it('keeps nothing of what a role may not say', async () => {
  const before = await typesOf(acme);
  await say(acme.id, 'tenant.suspended', { actor: 'user', id: 'ann' });
  await say(acme.id, 'order.paid', { actor: 'operator', id: 'ops' });
  await say(acme.id, 'order.paid', { actor: 'cli', id: 'eve' });
  await say(acme.id, 'Order paid');
  await say(acme.id, 'order.paid', { data: '['.repeat(6_000) + ']'.repeat(6_000) });
  await say(acme.id, 'order.paid', { data: '"\\u0000"' });
  await say(acme.id, 'order.kept', { actor: 'user', id: 'ann', data: '{"a":[[1]]}' });
  for (const [type, said] of [
    ['order.paid', { data: `"${'x'.repeat(65_535)}"` }],
    ['a'.repeat(3_000_000), {}],
    ['order.paid', { id: 'x'.repeat(9_000) }],
  ] as const)
    await expect(say(acme.id, type, said)).rejects.toThrow('it is too long');
  expect(await typesOf(acme)).toEqual([...before, 'order.kept']);
});

it('replaces a door of an earlier version', async () => {
  await world.app.get(SystemTransactions).run(async (manager) => {
    await manager.query(`
      CREATE OR REPLACE FUNCTION tenancy_events.record(
        id uuid, tenant_id uuid, type text, actor_type text, actor_id text, subject text, data json)
      RETURNS void LANGUAGE sql AS 'SELECT'`);
    await makeEventDoor(manager, 'tenancy');
  });
  await say(acme.id, 'said.anew');
  expect(await typesOf(acme)).toContain('said.anew');
});
