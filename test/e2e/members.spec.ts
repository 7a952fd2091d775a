import { Logger } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { JWTPayload } from 'jose';
import { TenantLifecycle, type Tenant } from '../../lib';
import { ApiKeys, withApiKeyScheme } from '../../lib/access';
import { withMasterKeyScheme } from '../../lib/admin';
import { type MemberInput, MembersService } from '../../lib/members';
import { KnownMembers } from '../../lib/members/known-members';
import { MemberRows } from '../../lib/members/member-rows';
import { MemberUses } from '../../lib/members/member-uses';
import { EventTrail } from '../../lib/registry/events/event-trail';
import { hearing, shortest } from '../support/change-feed';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type MembersApp, startMembersApp } from '../support/members-app';
import { ADAPTERS, MASTER_KEY } from '../support/sample-app';
import { type SigningKey, signingKey, TokenIssuer } from '../support/token-issuer';
import { tapWire, type WireTap } from '../support/wire-tap';

const NOT_A_MEMBER = expect.objectContaining({
  status: 403,
  body: expect.objectContaining({ code: 'NOT_A_MEMBER' }),
});

let key: SigningKey;
let issuer: TokenIssuer;
let another: TokenIssuer;
beforeAll(async () => {
  Logger.overrideLogger(false);
  key = await signingKey('first');
  [issuer, another] = [await TokenIssuer.start(), await TokenIssuer.start()];
  for (const each of [issuer, another]) each.publish(key);
});
afterAll(async () => {
  await issuer?.close();
  await another?.close();
});

const bearer = async (sub: string | undefined, tenant?: Tenant, payload: JWTPayload = {}) => ({
  authorization: `Bearer ${await issuer.token(key, { sub, ...payload })}`,
  ...(tenant ? { 'x-tenant-id': tenant.slug } : {}),
});

describe.each(ADAPTERS)('with members on %s', (_platform, adapter) => {
  let database: TestDatabase;
  let app: MembersApp;
  let members: MembersService;
  let acme: Tenant;
  let globex: Tenant;

  beforeAll(async () => {
    database = await createTestDatabase();
    app = await startMembersApp(database, adapter(), [issuer, another]);
    members = app.app.get(MembersService);
    acme = await app.create({ slug: 'acme' });
    globex = await app.create({ slug: 'globex' });
    await add(acme, 'olga', { roles: ['owner'] });
  });
  afterAll(async () => {
    await app?.close();
    await database?.drop();
  });

  const add = (tenant: Tenant, subject: string, more: Partial<MemberInput> = {}) =>
    members.add(tenant, { subject, issuer: issuer.url, ...more });

  it('a token is good for the tenants that its subject belongs to, whichever it names', async () => {
    await add(acme, 'ann', { roles: ['clerk'], email: 'Ann@shop.example', scopes: ['reports:read'] });
    await expect(app.call('GET /orders', await bearer('ann', acme))).resolves.toMatchObject({
      status: 200,
      body: { slug: 'acme' },
    });
    await expect(app.call('GET /who', await bearer('ann', acme))).resolves.toMatchObject({
      body: {
        type: 'access_token',
        tenantId: acme.id,
        scopes: ['orders:read', 'reports:read'],
        member: { email: 'Ann@shop.example', roles: ['clerk'] },
      },
    });
    await expect(app.call('POST /orders', await bearer('ann', acme))).resolves.toMatchObject({
      status: 403,
      body: { code: 'SCOPE_MISSING' },
    });
    await expect(app.call('GET /orders', await bearer('ann', globex))).resolves.toEqual(NOT_A_MEMBER);
    // A token that names tenants is good for no other, member or not.
    const named = await bearer('ann', acme, { tenants: ['globex'] });
    await expect(app.call('GET /orders', named)).resolves.toMatchObject({
      body: { code: 'TENANT_MISMATCH' },
    });
    const claimed = await bearer('ann', undefined, { tenants: ['globex'] });
    await expect(app.call('GET /orders', claimed)).resolves.toEqual(NOT_A_MEMBER);
  });

  it.each<[string, JWTPayload]>([
    ['a stranger', { sub: 'mallory', scope: 'orders:read orders:write *' }],
    ['nobody, but a client', { client_id: 'olga' }],
    ['a subject that cannot be', { sub: `olga\0` }],
    ['a subject of a kilobyte', { sub: 'o'.repeat(1_000) }],
  ])('a token of %s is refused', async (_whose, payload) => {
    await expect(app.call('GET /orders', await bearer(undefined, acme, payload))).resolves.toEqual(
      NOT_A_MEMBER,
    );
  });

  it('the same subject of another issuer is another person', async () => {
    const token = await another.token(key, { sub: 'olga' });
    const headers = { 'x-token-1': token, 'x-tenant-id': 'acme' };
    await expect(app.call('GET /orders', headers)).resolves.toEqual(NOT_A_MEMBER);
    await members.add(acme, { subject: 'olga', issuer: another.url, roles: ['clerk'] });
    await expect(app.call('GET /who', headers)).resolves.toMatchObject({
      body: { scopes: ['orders:read'] },
    });
  });

  it.each([
    [undefined, ['*'], 200],
    ['orders:read keys:*', ['keys:*', 'orders:read'], 200],
    ['openid email', ['email', 'openid'], 403],
    ['', [], 403],
    ['*', [], 403],
  ])('what an owner may do with a token of the scope %j is %j', async (scope, scopes, status) => {
    const headers = await bearer('olga', acme, scope === undefined ? {} : { scope });
    await expect(app.call('GET /who', headers)).resolves.toMatchObject({ body: { scopes } });
    await expect(app.call('GET /orders', headers)).resolves.toMatchObject({ status });
  });

  it('a member who is blocked or leaves is refused, and is back when they are', async () => {
    const bob = await add(acme, 'bob', { roles: ['clerk'] });
    const headers = await bearer('bob', acme);
    const status = async () => (await app.call('GET /orders', headers)).status;
    expect(await status()).toBe(200);
    await members.block(acme, bob.id);
    await expect(app.call('GET /orders', headers)).resolves.toEqual(NOT_A_MEMBER);
    await members.unblock(acme, bob.id);
    expect(await status()).toBe(200);
    await members.update(acme, bob.id, { roles: [] });
    await expect(app.call('GET /orders', headers)).resolves.toMatchObject({
      body: { code: 'SCOPE_MISSING' },
    });
    await members.remove(acme, bob.id);
    await expect(app.call('GET /who', headers)).resolves.toEqual(NOT_A_MEMBER);
    await add(acme, 'bob', { roles: ['clerk'] });
    expect(await status()).toBe(200);
  });

  it('a role counts as long as it is declared and in the plan', async () => {
    const carl = await add(acme, 'carl', { roles: ['clerk', 'member'] });
    await database.query(`UPDATE tenancy.tenant_members SET roles = roles || '{gone}' WHERE id = $1`, [
      carl.id,
    ]);
    const headers = await bearer('carl', acme);
    const lifecycle = app.app.get(TenantLifecycle);
    const seen = async () =>
      (await app.call('GET /who', headers)).body as { scopes: string[]; member: unknown };
    await hearing(app);
    expect(await seen()).toMatchObject({
      scopes: ['members:read', 'orders:read'],
      member: { roles: ['clerk', 'member'] },
    });
    await lifecycle.update(acme.id, { metadata: { plan: 'free' } });
    expect(await seen()).toMatchObject({ scopes: ['members:read'], member: { roles: ['member'] } });
    await lifecycle.update(acme.id, { metadata: { plan: null } });
    expect((await seen()).scopes).toContain('orders:read');
  });

  it('on a public route only members are known, and on one that is nobody’s all are', async () => {
    const ofPublic = async (headers: Record<string, string>) => (await app.call('GET /public', headers)).body;
    expect(await ofPublic(await bearer('ann', acme))).toEqual({ member: 'Ann@shop.example' });
    expect(await ofPublic(await bearer('mallory', acme))).toEqual({ member: null });
    const free = { subject: 'mallory', tenantId: null, member: null };
    for (const headers of [
      await bearer('mallory', acme),
      await bearer('mallory'),
      // Wherever they are: of a choice of tenants, too, or of one that is no more.
      await bearer('mallory', undefined, { tenants: ['acme', 'globex'] }),
      { ...(await bearer('mallory')), 'x-tenant-id': 'nobody' },
    ])
      await expect(app.call('GET /free', headers)).resolves.toEqual({ status: 200, body: free });
    await expect(app.call('GET /free', { authorization: 'Bearer x' })).resolves.toMatchObject({
      status: 401,
    });
  });

  it('keys do what they did', async () => {
    const { key: text } = await app.app
      .get(ApiKeys)
      .create(acme.id, { name: 'till', scopes: ['orders:read'] });
    await expect(app.call('GET /who', { 'x-api-key': text })).resolves.toMatchObject({
      body: { type: 'api_key', scopes: ['orders:read'] },
    });
    const mixed = { 'x-api-key': text, 'x-tenant-id': 'globex' };
    await expect(app.call('GET /who', mixed)).resolves.toMatchObject({ body: { code: 'TENANT_MISMATCH' } });
  });

  it('an admin manages those who have no more than they, and only them', async () => {
    const tenant = await app.create({ slug: 'managed' });
    const olga = await add(tenant, 'olga', { roles: ['owner'] });
    await add(tenant, 'ada', { roles: ['admin'] });
    const ada = await bearer('ada', tenant);
    const call = (line: string, body?: unknown, more: Record<string, string> = {}) =>
      app.call(line, { ...ada, ...more }, body);

    const input = { subject: 'fred', issuer: issuer.url, email: 'Fred@shop.example' };
    const twice = { 'idempotency-key': 'one fred' };
    const added = await call('POST /tenant/members', input, twice);
    expect(added).toMatchObject({ status: 201, body: { ...input, roles: ['member'], status: 'active' } });
    expect(added.body).not.toHaveProperty('version');
    expect(await call('POST /tenant/members', input, twice)).toEqual(added);
    await expect(call('POST /tenant/members', input)).resolves.toMatchObject({
      status: 409,
      body: { code: 'MEMBER_EXISTS' },
    });
    const path = `/tenant/members/${(added.body as { id: string }).id}`;
    await expect(call(`PATCH ${path}`, { roles: ['owner'] })).resolves.toMatchObject({
      status: 403,
      body: { code: 'ROLE_MISSING' },
    });
    const stale = { 'if-match': `"${(added.body as { id: string }).id}.7"` };
    await expect(call(`PATCH ${path}`, { name: 'Fred' }, stale)).resolves.toMatchObject({ status: 412 });
    await expect(call(`PATCH ${path}`, { name: 'Fred', roles: ['clerk'] })).resolves.toMatchObject({
      status: 200,
      body: { name: 'Fred', roles: ['clerk'] },
    });
    await expect(call(`POST ${path}/block`, { reason: 'on leave' })).resolves.toMatchObject({
      status: 200,
      body: { status: 'blocked' },
    });
    await expect(call(`POST ${path}/unblock`)).resolves.toMatchObject({ body: { status: 'active' } });
    // A key that is sent for another member as well is another call.
    const ids = [path, `/tenant/members/${(await add(tenant, 'gina')).id}`];
    for (const one of ids)
      await expect(call(`POST ${one}/block`, {}, { 'idempotency-key': 'block' })).resolves.toMatchObject({
        body: { id: one.split('/').at(-1), status: 'blocked' },
      });
    await expect(call(`DELETE ${ids[1]}`)).resolves.toMatchObject({ status: 204 });
    await expect(call(`DELETE /tenant/members/${olga.id}`)).resolves.toMatchObject({
      body: { code: 'ROLE_MISSING' },
    });
    await expect(call(`DELETE ${path}`)).resolves.toMatchObject({ status: 204 });
    await expect(call(`GET ${path}`)).resolves.toMatchObject({
      status: 404,
      body: { code: 'MEMBER_NOT_FOUND' },
    });
    // What a member of another tenant has no more to do with.
    await expect(app.call(`GET ${path}`, await bearer('olga', acme))).resolves.toMatchObject({ status: 404 });

    const first = await call('GET /tenant/members?limit=1');
    const { data, nextCursor } = first.body as { data: { subject: string }[]; nextCursor: string };
    const rest = await call(`GET /tenant/members?cursor=${nextCursor}`);
    expect(data.map(({ subject }) => subject)).toEqual(['olga']);
    expect(rest.body).toMatchObject({ data: [{ subject: 'ada' }], nextCursor: null });
    await expect(call('GET /tenant/members?email=nobody@shop.example')).resolves.toMatchObject({
      body: { data: [] },
    });
    await expect(call('GET /tenant/roles')).resolves.toMatchObject({
      body: { data: expect.arrayContaining([{ name: 'clerk', scopes: ['orders:read'], isIncluded: true }]) },
    });
    const [event] = await app.app
      .get(EventTrail, { strict: false })
      .list({ tenantId: tenant.id, types: ['member.blocked'], limit: 1 });
    expect(event).toMatchObject({
      actor: { type: 'user', id: `${issuer.url} ada` },
      data: { reason: 'on leave' },
    });
  });

  it('who may only read members changes none, and who may do neither sees none', async () => {
    await add(acme, 'mia');
    await add(acme, 'nora', { roles: ['clerk'] });
    const [mia, nora] = [await bearer('mia', acme), await bearer('nora', acme)];
    await expect(app.call('GET /tenant/members', mia)).resolves.toMatchObject({ status: 200 });
    const scopeMissing = { status: 403, body: { code: 'SCOPE_MISSING' } };
    await expect(app.call('POST /tenant/members', mia, { subject: 'x' })).resolves.toMatchObject(
      scopeMissing,
    );
    for (const path of ['/tenant/members', '/tenant/roles'])
      await expect(app.call(`GET ${path}`, nora)).resolves.toMatchObject(scopeMissing);
  });

  it('the operator manages members of any tenant, and the last owner stays', async () => {
    const tenant = await app.create({ slug: 'operated' });
    const headers = { 'x-master-key': MASTER_KEY };
    const base = '/admin/tenants/operated/members';
    const added = await app.call(`POST ${base}`, headers, { subject: 'olga', roles: ['owner'] });
    expect(added).toMatchObject({ status: 201, body: { tenantId: tenant.id, issuer: '', roles: ['owner'] } });
    const { id } = added.body as { id: string };
    await expect(app.call(`DELETE ${base}/${id}`, headers)).resolves.toMatchObject({
      status: 409,
      body: { code: 'LAST_OWNER' },
    });
    await expect(
      app.call(`POST ${base}`, headers, { subject: 'x', roles: ['nobody'] }),
    ).resolves.toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED', errors: [{ field: 'roles' }] },
    });
    await expect(app.call(`GET ${base}`, headers)).resolves.toMatchObject({ body: { data: [{ id }] } });
    await expect(app.call('GET /admin/tenants/operated/roles', headers)).resolves.toMatchObject({
      status: 200,
    });
    await expect(app.call(`GET ${base}`)).resolves.toMatchObject({ status: 401 });
  });

  it('somebody learns where they belong, from wherever they are, and how to choose', async () => {
    const [shut, shop] = [await app.create({ slug: 'shut' }), await app.create({ slug: 'shop' })];
    for (const tenant of [acme, shut, shop]) await add(tenant, 'zoe', { roles: ['clerk'] });
    const { id } = await add(globex, 'zoe');
    await members.block(globex, id);
    await app.app.get(TenantLifecycle).suspend(shut.id);
    const mine = async (headers: Record<string, string>) => (await app.call('GET /me/tenants', headers)).body;
    const view = ({ id: tenantId, slug, name }: Tenant) => ({
      tenant: { id: tenantId, slug, name, domains: [] },
      roles: ['clerk'],
      scopes: ['orders:read'],
      joinedAt: expect.any(String),
    });
    const all = { data: [view(acme), view(shop)], nextCursor: null, chosenBy: ['x-tenant-id'] };
    expect(await mine(await bearer('zoe'))).toEqual(all);
    expect(await mine(await bearer('zoe', shut))).toEqual(all);
    expect(await mine(await bearer('zoe', globex))).toEqual(all);
    expect(await mine(await bearer('zoe', undefined, { tenants: ['acme', 'shop'] }))).toEqual(all);
    expect(await mine(await bearer('mallory'))).toMatchObject({ data: [], nextCursor: null });
    await expect(app.call('GET /me/tenants')).resolves.toMatchObject({ status: 401 });
    const { key: text } = await app.app.get(ApiKeys).create(acme.id, { name: 'till' });
    expect(await mine({ 'x-api-key': text })).toMatchObject({ data: [] });
  });

  it('all calls are in the OpenAPI document', () => {
    const config = withApiKeyScheme(withMasterKeyScheme(new DocumentBuilder().build()));
    const { paths, components } = SwaggerModule.createDocument(app.app, config);
    for (const base of ['/tenant', '/admin/tenants/{tenant}']) {
      for (const path of [
        'members',
        'members/{member}',
        'members/{member}/block',
        'members/{member}/unblock',
        'roles',
      ])
        expect(Object.keys(paths)).toContain(`${base}/${path}`);
      expect(paths[`${base}/members`].post).toMatchObject({
        summary: 'Make a subject a member of the tenant',
        security: [{ [base === '/tenant' ? 'X-API-Key' : 'X-Master-Key']: [] }],
      });
    }
    expect(paths['/me/tenants'].get?.summary).toMatch(/^Tell where I am a member/);
    expect(Object.keys(components?.schemas ?? {})).toEqual(
      expect.arrayContaining(['Member', 'MemberPage', 'AddMember', 'UpdateMember', 'Roles', 'MyTenants']),
    );
  });

  it('when somebody was last seen is written, some time later', async () => {
    const dora = await add(acme, 'dora');
    await app.call('GET /who', await bearer('dora', acme));
    await app.app.get(MemberUses, { strict: false }).flush();
    await expect(members.get(acme, dora.id)).resolves.toMatchObject({
      lastSeenAt: expect.any(Date),
      version: 1,
    });
  });
});

describe('members on two instances', () => {
  let database: TestDatabase;
  let wire: WireTap;
  let one: MembersApp;
  let other: MembersApp;
  let acme: Tenant;

  beforeAll(async () => {
    database = await createTestDatabase();
    wire = await tapWire(database.url);
    one = await startMembersApp(database, ADAPTERS[0][1](), [issuer]);
    other = await startMembersApp({ url: wire.url }, ADAPTERS[1][1](), [issuer]);
    acme = await one.create({ slug: 'acme' });
  });
  afterAll(async () => {
    await one?.close();
    await other?.close();
    await wire?.close();
    await database?.drop();
  });

  let made = 0;
  const join = async () => {
    const subject = `guest-${(made += 1)}`;
    const { id } = await one.app
      .get(MembersService)
      .add(acme, { subject, issuer: issuer.url, roles: ['clerk'] });
    return { id, headers: await bearer(subject, acme) };
  };
  const statusAt = async (app: MembersApp, headers: Record<string, string>) =>
    (await app.call('GET /orders', headers)).status;

  it.each(['block', 'remove', 'SQL'])(
    'what one does is felt on the other within a second: %s',
    async (action) => {
      const delay = await shortest(1_000, async () => {
        const { id, headers } = await join();
        await hearing(other);
        expect(await statusAt(other, headers)).toBe(200);
        if (action === 'SQL') await database.query('DELETE FROM tenancy.tenant_members WHERE id = $1', [id]);
        else await one.app.get(MembersService)[action as 'block' | 'remove'](acme, id);
        const start = performance.now();
        while ((await statusAt(other, headers)) === 200)
          if (performance.now() - start > 10_000) return Infinity;
        return performance.now() - start;
      });
      expect(delay).toBeLessThanOrEqual(1_000);
    },
  );

  it('who joins is let in at once where they were refused before', async () => {
    const subject = 'late';
    const headers = await bearer(subject, acme);
    expect(await statusAt(other, headers)).toBe(403);
    await one.app.get(MembersService).add(acme, { subject, issuer: issuer.url, roles: ['clerk'] });
    await hearing(other);
    expect(await statusAt(other, headers)).toBe(200);
  });

  it('a member costs one question when they are new, however many ask, and none when they are known', async () => {
    const { headers } = await join();
    await hearing(other);
    const asked = jest.spyOn(other.app.get(MemberRows, { strict: false }), 'findAll');
    await Promise.all(Array.from({ length: 20 }, () => statusAt(other, headers)));
    expect(asked).toHaveBeenCalledTimes(1);
    for (let time = 0; time < 10; time += 1) expect(await statusAt(other, headers)).toBe(200);
    expect(asked).toHaveBeenCalledTimes(1);
    asked.mockRestore();
  });

  it('strangers are refused from memory, and do not push members out of it', async () => {
    const { headers } = await join();
    expect(await statusAt(other, headers)).toBe(200);
    const known = other.app.get(KnownMembers, { strict: false });
    const claims = { iss: issuer.url };
    const details = { type: 'access_token', scopes: [], namesTenant: false, name: '', subject: '' } as const;
    for (const batch of [1, 2]) {
      const answers = Array.from({ length: 6_000 }, async (_, index) =>
        known.find({ ...details, claims: { ...claims, sub: `stranger-${batch}-${index}` } }, acme),
      );
      await Promise.all(answers);
    }
    const { absent, waiting } = known.size;
    expect(absent).toBeLessThanOrEqual(10_000);
    expect(waiting).toBe(0);
    expect(await statusAt(other, headers)).toBe(200);
  });

  it('while the registry is away those who are known go on, and others are told so, not that they are no members', async () => {
    const { headers } = await join();
    const stranger = await bearer('stranger', acme);
    expect(await statusAt(other, headers)).toBe(200);
    wire.cut();
    await expect(other.call('GET /orders', stranger)).resolves.toMatchObject({
      status: 503,
      body: { code: 'TENANCY_UNAVAILABLE' },
    });
    expect(await statusAt(other, headers)).toBe(200);
    wire.restore();
    await hearing(other);
    await expect(other.call('GET /orders', stranger)).resolves.toEqual(NOT_A_MEMBER);
  });
});
