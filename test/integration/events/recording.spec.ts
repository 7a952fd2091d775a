import {
  type Tenant,
  TenantConnection,
  TenantContext,
  TenantLifecycle,
  TenantMover,
  TenantProvisioner,
  TenantPurge,
  TenantTransactions,
} from '../../../lib';
import { TenancyEventsModule, TenantEventLog } from '../../../lib/events';
import { CurrentActor } from '../../../lib/context/current-actor';
import { EventTrail } from '../../../lib/registry/events/event-trail';
import { Note } from '../../support/notes';
import { type DatabasesWorld, startDatabases } from '../homes/world';

let world: DatabasesWorld;
let log: TenantEventLog;
let trail: EventTrail;
const tenants: Record<string, Tenant> = {};

beforeAll(async () => {
  world = await startDatabases({}, { imports: [TenancyEventsModule.forRoot()] });
  log = world.app.get(TenantEventLog);
  trail = world.app.get(EventTrail);
  const provisioner = world.app.get(TenantProvisioner);
  tenants.near = await provisioner.create({ slug: 'near' });
  tenants.far = await provisioner.create({ slug: 'far' }, { place: { server: 'eu' } });
  tenants.own = await world.own('own');
});
afterAll(() => world?.close());

const as = <T>(tenant: Tenant, work: (connection: TenantConnection) => Promise<T>) =>
  world.app.get(TenantContext).run(tenant, () => work(world.app.get(TenantConnection)));
const inTransaction = <T>(tenant: Tenant, work: () => Promise<T>) =>
  as(tenant, (connection) => connection.transaction(() => work()));
const recorded = (tenant: Tenant) => trail.list({ tenantId: tenant.id, types: ['order.*'], limit: 100 });

describe.each(['near', 'far', 'own'])('a tenant that lives %s', (where) => {
  it('has the events of its committed transactions, and of no other', async () => {
    const tenant = tenants[where];
    const id = await as(tenant, (connection) =>
      connection.transaction(async (manager) => {
        await manager.save(Note, { text: 'kept' });
        return log.record('order.shipped', { carrier: 'DHL' }, { subject: '7' });
      }),
    );
    const lost = inTransaction(tenant, async () => {
      await log.record('order.lost');
      throw new Error('no');
    });
    await expect(lost).rejects.toThrow('no');
    const [event, ...others] = await recorded(tenant);
    expect(event).toMatchObject({
      ...{ id, tenantId: tenant.id, type: 'order.shipped', data: { carrier: 'DHL' }, subject: '7' },
      actor: { type: 'system', id: null },
    });
    expect(others).toEqual([]);
  });

  it('has them of every kind of transaction, with who acts', async () => {
    const tenant = tenants[where];
    const actor = { type: 'user', id: 'ann' };
    await as(tenant, async (connection) => {
      world.app.get(CurrentActor).set(actor);
      await world.app.get(TenantTransactions).run(() => log.record('order.paid'));
      await connection.dataSource.transaction((manager) => log.record('order.sent', 1, { manager }));
      await connection.transaction(() => log.record('order.closed', {}, { actor: { type: 'job', id: '9' } }));
    });
    const events = (await recorded(tenant)).slice(-3);
    expect(events.map(({ type, actor: by }) => [type, by])).toEqual([
      ['order.paid', actor],
      ['order.sent', actor],
      ['order.closed', { type: 'job', id: '9' }],
    ]);
  });

  it('records nothing outside of a transaction of its own', async () => {
    const tenant = tenants[where];
    const refused = { code: 'EVENT_OUTSIDE_TRANSACTION', message: expect.stringContaining('"order.alone"') };
    await expect(as(tenant, () => log.record('order.alone'))).rejects.toMatchObject(refused);
    await expect(log.record('order.alone')).rejects.toMatchObject({ code: 'TENANT_REQUIRED' });
    const later = await inTransaction(tenant, () => Promise.resolve(() => log.record('order.alone')));
    await expect(as(tenant, later)).rejects.toMatchObject(refused);
    await as(tenant, (connection) =>
      connection.transaction(async () => {
        // Another tenant's work inside is no part of the transaction.
        const other = where === 'near' ? tenants.far : tenants.near;
        await expect(as(other, () => log.record('order.alone'))).rejects.toMatchObject(refused);
        await expect(log.record('tenant.purged')).rejects.toMatchObject({ code: 'EVENT_REFUSED' });
      }),
    );
    expect((await recorded(tenant)).map(({ type }) => type)).not.toContain('order.alone');
  });
});

it('keeps what waits in a database that a purge drops', async () => {
  const tenant = await world.own('short');
  await inTransaction(tenant, () => log.record('order.shipped'));
  await world.app.get(TenantLifecycle).delete('short');
  await world.app.get(TenantPurge).purge('short');
  expect((await trail.list({ tenantId: tenant.id, limit: 9 })).map(({ type }) => type).sort()).toEqual(
    ['order.shipped', 'tenant.created', 'tenant.deleted', 'tenant.purged'].sort(),
  );
});

it('takes along what waits at the place that a tenant is moved from', async () => {
  const place = { server: 'eu' };
  const tenant = await world.app.get(TenantProvisioner).create({ slug: 'mover' }, { place });
  await inTransaction(tenant, () => log.record('order.shipped'));
  await world.app.get(TenantMover).move('mover', { server: 'default' });
  const moved = await world.app.get(TenantLifecycle).get('mover');
  await inTransaction(moved, () => log.record('order.paid'));
  expect((await recorded(tenant)).map(({ type }) => type)).toEqual(['order.shipped', 'order.paid']);
});

it('reads on while a server is away, whose events come when it is back', async () => {
  await inTransaction(tenants.far, () => log.record('order.late'));
  await inTransaction(tenants.near, () => log.record('order.near'));
  await world.way.cut();
  expect(
    (await trail.list({ types: ['order.near', 'order.late'], limit: 9 })).map(({ type }) => type),
  ).toEqual(['order.near']);
  await world.way.mend();
  expect((await recorded(tenants.far)).map(({ type }) => type)).toContain('order.late');
});
