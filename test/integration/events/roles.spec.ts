import { type Tenant, TenantConnection, TenantProvisioner } from '../../../lib';
import { TenancyEventsModule, TenantEventLog } from '../../../lib/events';
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
const say = (tenantId: string | null, type: string) =>
  world.as(acme, 'SELECT tenancy_events.record(gen_random_uuid(), $1, $2, $3, NULL, NULL, $4)', [
    ...[tenantId, type, 'system', '{}'],
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
