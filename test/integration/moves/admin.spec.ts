import { randomUUID } from 'node:crypto';
import { type Tenant, TenantConnection, TenantContext, TenantMover, TenantStore } from '../../../lib';
import { TenancyAdminModule } from '../../../lib/admin';
import { MASTER_KEY } from '../../support/sample-app';
import { Note } from '../../support/notes';
import { rawRequest } from '../../support/raw-request';
import { startWorld, type World } from '../servers/world';

const READER = 'r'.repeat(32);
const LATER = '0198c9a4-5c1e-7000-8000-2b0f4d1c6a7e';

let world: World;
beforeAll(async () => {
  const masterKeys = [
    { name: 'ops', key: MASTER_KEY },
    { name: 'reader', key: READER, scopes: ['tenants:read'] },
  ];
  world = await startWorld({ sweeper: { intervalMs: 0 } }, undefined, {
    imports: [TenancyAdminModule.forRoot({ masterKeys })],
  });
});
afterAll(() => world.close());

const call = (line: string, body?: unknown, headers: Record<string, string> = {}) => {
  const [method, path] = line.split(' ');
  return rawRequest(world.url, `/admin/${path}`, {
    method,
    headers: {
      'x-master-key': MASTER_KEY,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
};
const mover = () => world.app.get(TenantMover);
const find = async (slug: string) =>
  (await world.app.get<TenantStore>(TenantStore).find({ by: 'slug', value: slug }))!;
const count = (tenant: Tenant) =>
  world.app.get(TenantContext).run(tenant, () => world.app.get(TenantConnection).getRepository(Note).count());
/** Keeps the tables of a tenant until it is called, so that a move waits. */
async function hold(tenant: Tenant): Promise<() => Promise<void>> {
  let release!: () => void;
  const released = new Promise<void>((resolve) => (release = resolve));
  let isHeld!: () => void;
  const held = new Promise<void>((resolve) => (isHeld = resolve));
  const work = world.app.get(TenantContext).run(tenant, () =>
    world.app.get(TenantConnection).transaction(async (manager) => {
      await manager.getRepository(Note).save({ text: 'held' });
      isHeld();
      await released;
    }),
  );
  await held;
  return () => (release(), work);
}

it('moves a tenant, tells how far it is, and who asked for it', async () => {
  const tenant = await world.create({ slug: 'acme' });
  await world.app
    .get(TenantContext)
    .run(tenant, () => world.app.get(TenantConnection).getRepository(Note).save({ text: 'kept' }));
  const headers = { 'idempotency-key': randomUUID() };
  const place = { server: 'eu' };
  const begun = await call('POST tenants/acme/moves', { place, verify: 'rows' }, headers);
  expect(begun).toMatchObject({
    status: 202,
    body: { state: 'planned', verify: 'rows', actor: 'ops', reason: null, finishedAt: null },
  });
  const { id } = begun.body;
  await mover().ended(id);
  const again = await call('POST tenants/acme/moves', { place, verify: 'rows' }, headers);
  expect(again).toMatchObject({ status: 202, body: { id } });
  const { body: record } = await call(`GET moves/${id}`);
  expect(record).toMatchObject({ state: 'done', to: { server: 'eu' }, progress: { rows: 1 } });
  expect(Date.parse(record.dropAfter)).toBeGreaterThan(Date.parse(record.finishedAt));
  expect((await call('GET tenants/acme/moves')).body).toEqual({ data: [record] });
  expect((await call('GET tenants/acme')).body.place).toEqual({ server: 'eu', isolation: 'schema' });
  const { data: audit } = (await call('GET tenants/acme/audit')).body;
  expect(audit.slice(0, 2)).toMatchObject([
    { action: 'moved', actor: 'ops', details: { move: id, to: { server: 'eu' } } },
    { action: 'move', actor: 'ops', details: { move: id, from: { server: 'default' } } },
  ]);
  await expect(call(`POST moves/${id}/cancel`)).resolves.toMatchObject({
    status: 409,
    body: { code: 'MOVE_NOT_POSSIBLE' },
  });
});

it('lists what is under way, refuses a second move, and cancels', async () => {
  const one = await world.create({ slug: 'one' });
  const two = await world.create({ slug: 'two' });
  const release = await Promise.all([hold(one), hold(two)]);
  const place = { server: 'eu' };
  const ids: string[] = [];
  for (const slug of ['one', 'two']) ids.push((await call(`POST tenants/${slug}/moves`, { place })).body.id);
  const open = (await call('GET moves')).body.data;
  expect(open.map(({ id }: { id: string }) => id)).toEqual(ids);
  await expect(call('POST tenants/one/moves', { place })).resolves.toMatchObject({
    status: 409,
    body: { code: 'MOVE_UNDER_WAY' },
  });
  // One key, two moves: it belongs to the call and its move.
  const headers = { 'idempotency-key': randomUUID() };
  for (const id of ids)
    expect(await call(`POST moves/${id}/cancel`, undefined, headers)).toMatchObject({
      status: 202,
      body: { id, cancelledBy: 'ops' },
    });
  await Promise.all(release.map((each) => each()));
  for (const id of ids)
    await mover()
      .ended(id)
      .catch(() => undefined);
  expect((await call('GET moves')).body).toEqual({ data: [] });
  for (const [index, slug] of ['one', 'two'].entries()) {
    expect((await call(`GET moves/${ids[index]}`)).body).toMatchObject({
      state: 'failed',
      reason: 'It was cancelled by ops.',
    });
    const tenant = await find(slug);
    expect([tenant.place.server, await count(tenant)]).toEqual(['default', 1]);
  }
});

it.each([
  [{}, 'place'],
  [{ place: 'eu' }, 'place'],
  [{ place: { server: 7 } }, 'place.server'],
  [{ place: { isolation: 'rows' } }, 'place.isolation'],
  [{ place: { region: 'eu' } }, 'place.region'],
  [{ place: { server: 'eu' }, verify: 'all' }, 'verify'],
  [{ place: { server: 'eu' }, how: 'later' }, 'how'],
])('refuses %j, and names %s', async (body, field) => {
  await expect(call('POST tenants/acme/moves', body)).resolves.toMatchObject({
    status: 400,
    body: { code: 'VALIDATION_FAILED', errors: [{ field }] },
  });
});

it.each([
  ['POST tenants/nobody/moves', { place: { server: 'eu' } }, 404, 'TENANT_NOT_FOUND'],
  ['GET tenants/nobody/moves', undefined, 404, 'TENANT_NOT_FOUND'],
  ['POST tenants/acme/moves', { place: { server: 'us' } }, 409, 'PLACE_NOT_POSSIBLE'],
  ['POST tenants/acme/moves', { place: {} }, 409, 'MOVE_NOT_POSSIBLE'],
  [`GET moves/${LATER}`, undefined, 404, 'MOVE_NOT_FOUND'],
  ['GET moves/no-uuid', undefined, 404, 'MOVE_NOT_FOUND'],
  [`POST moves/${LATER}/cancel`, undefined, 404, 'MOVE_NOT_FOUND'],
])('answers %s %j with %i %s', async (line, body, status, code) => {
  await expect(call(line, body)).resolves.toMatchObject({ status, body: { code } });
});

it('moves nothing for a key that may only read, nor on a condition that is not met', async () => {
  const place = { server: 'default' };
  const reader = { 'x-master-key': READER };
  await expect(call('POST tenants/acme/moves', { place }, reader)).resolves.toMatchObject({
    status: 403,
    body: { code: 'SCOPE_MISSING' },
  });
  await expect(call(`POST moves/${LATER}/cancel`, undefined, reader)).resolves.toMatchObject({ status: 403 });
  await expect(call('GET moves', undefined, reader)).resolves.toMatchObject({ status: 200 });
  await expect(call('POST tenants/acme/moves', { place }, { 'if-match': '"x"' })).resolves.toMatchObject({
    status: 412,
  });
  await expect(call('GET moves', undefined, { 'x-master-key': 'wrong' })).resolves.toMatchObject({
    status: 401,
  });
  expect((await find('acme')).place.server).toBe('eu');
});
