import { Controller, Get, Post } from '@nestjs/common';
import { fromHeader, TenancyModule, type Tenant, TenantLifecycle, TenantPurge } from '../../lib';
import {
  ApiKeys,
  CurrentPrincipal,
  fromApiKey,
  type Principal,
  RequireScopes,
  TenancyAccessModule,
} from '../../lib/access';
import { TenancyAdminModule } from '../../lib/admin';
import { fromJwtClaim } from '../../lib/jwt';
import {
  fromSupportKey,
  MembersService,
  type RecoveryNotice,
  SupportSessions,
  TenancyMembersModule,
} from '../../lib/members';
import { EventTrail } from '../../lib/registry/events/event-trail';
import { SECRET, token } from '../support/access-app';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { whileMembersAreLocked } from '../support/member-turns';
import { notesOptions } from '../support/notes';
import { type RawAnswer, rawRequest } from '../support/raw-request';
import { ADAPTERS } from '../support/sample-app';
import { startTestApp, type TestApp } from '../support/test-app';

const ISSUER = 'https://issuer.example';
const refused = (status: number, code: string) =>
  expect.objectContaining({ status, body: expect.objectContaining({ statusCode: status, code }) });

@Controller('orders')
class OrdersController {
  @Get()
  @RequireScopes('orders:read')
  list(@CurrentPrincipal() { type, support, tenantId }: Principal) {
    return { type, tenantId, who: support?.who, why: support?.reason };
  }

  @Post()
  @RequireScopes('orders:write')
  create() {
    return {};
  }
}

const masterKey = (name: string, scopes?: string[]) => ({
  name,
  key: `a key that is only for tests, of ${name}`.padEnd(40, '.'),
  scopes,
});
const HELPER = masterKey('helga', ['support:enter']);
const RESCUER = masterKey('robert', ['recovery:create']);
const READER = masterKey('rita', ['tenants:*', 'support:write', 'recovery:write']);

describe.each(ADAPTERS.slice(-1))('On %s', (_platform, adapter) => {
  let database: TestDatabase;
  const running: TestApp[] = [];
  let app: TestApp['app'];
  let sessions: SupportSessions;
  let members: MembersService;
  const notices: RecoveryNotice[] = [];

  async function startInstance(): Promise<TestApp> {
    const resolvers = [
      fromHeader('x-tenant-id'),
      fromSupportKey(),
      fromApiKey(),
      fromJwtClaim({ claim: 'tenants', several: true, secret: SECRET }),
    ];
    const mailer = {
      sendInvitation: () => Promise.resolve(),
      sendRecoveryNotice: (notice: RecoveryNotice) => {
        notices.push(notice);
        return Promise.reject(new Error('no such host'));
      },
    };
    const started = await startTestApp(
      {
        imports: [
          TenancyModule.forRoot(notesOptions(database, { resolvers })),
          TenancyAccessModule.forRoot(),
          TenancyMembersModule.forRoot({ invitations: { mailer } }),
          TenancyAdminModule.forRoot({ masterKeys: [HELPER, RESCUER, READER], members: true }),
        ],
        controllers: [OrdersController],
      },
      { adapter: adapter() },
    );
    running.push(started);
    return started;
  }

  beforeAll(async () => {
    database = await createTestDatabase();
    ({ app } = await startInstance());
    sessions = app.get(SupportSessions);
    members = app.get(MembersService);
  });
  afterAll(async () => {
    for (const each of running) await each.close();
    await database?.drop();
  });

  let made = 0;
  /** A tenant with the owner olga and the admin adam. */
  async function makeTenant(access?: 'never' | 'ask' | 'allowed'): Promise<Tenant> {
    const tenant = await running[0].create({ slug: `acme-${(made += 1)}` });
    await members.add(tenant, {
      ...{ subject: 'olga', issuer: ISSUER },
      ...{ email: 'olga@shop.example', roles: ['owner'] },
    });
    await members.add(tenant, { subject: 'adam', issuer: ISSUER, roles: ['admin'] });
    if (access) await sessions.setAccess(tenant.id, access);
    return tenant;
  }

  function call(
    line: string,
    headers: Record<string, string> = {},
    body?: unknown,
    url = running[0].url,
  ): Promise<RawAnswer> {
    const [method, path] = line.split(' ');
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    return rawRequest(url, path, {
      method,
      headers: { ...type, ...headers } as Record<string, string>,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  }
  const as = async (sub: string, tenant: Tenant) => ({
    authorization: `Bearer ${await token({ iss: ISSUER, sub })}`,
    'x-tenant-id': tenant.slug,
  });
  const withMaster = ({ key }: { key: string }, more: Record<string, string> = {}) => ({
    'x-master-key': key,
    ...more,
  });
  const enter = (tenant: Tenant, body: object = {}, more: Record<string, string> = {}) =>
    call(`POST /admin/tenants/${tenant.slug}/support-sessions`, withMaster(HELPER, more), {
      ...{ reason: 'ticket 4711', scopes: ['orders:read', 'orders:write'] },
      ...body,
    });
  const using = (credential: string) => ({ 'x-support-key': credential });
  const eventsOf = ({ id }: Tenant, types: string) =>
    app.get(EventTrail, { strict: false }).list({ tenantId: id, types: [types], limit: 100 });
  const typesOf = async (tenant: Tenant, types = 'support.*') =>
    (await eventsOf(tenant, types)).map(({ type }) => type.split('.')[1]);

  describe('a support session', () => {
    it('lets in who has a credential, for a while, and the tenant sees who, why and what was written', async () => {
      const tenant = await makeTenant('allowed');
      const { status, body } = await enter(tenant, { minutes: 15 });
      expect(status).toBe(201);
      expect(body).toMatchObject({
        tenantId: tenant.id,
        ...{ actor: 'helga', reason: 'ticket 4711', minutes: 15, status: 'open' },
        scopes: ['orders:read', 'orders:write'],
        credential: expect.stringMatching(/^sup_[0-9a-f]{32}_[0-9A-Za-z]{49}$/),
      });
      expect(Date.parse(body.expiresAt) - Date.parse(body.createdAt)).toBe(900_000);
      const rows = await database.query(
        'SELECT to_jsonb(s)::text AS row FROM tenancy.tenant_support_sessions s',
      );
      expect(JSON.stringify(rows)).not.toContain(body.credential.slice(37));

      for (const line of ['GET /orders', 'GET /orders?page=2', 'POST /orders?token=secret', 'GET /orders'])
        expect((await call(line, using(body.credential))).status).toBeLessThan(300);
      expect((await call('GET /orders', using(body.credential))).body).toEqual({
        ...{ type: 'support', tenantId: tenant.id, who: 'helga', why: 'ticket 4711' },
      });
      expect(await call('GET /tenant/members', using(body.credential))).toEqual(
        refused(403, 'SCOPE_MISSING'),
      );
      const events = (await eventsOf(tenant, 'support.*')).slice(1);
      expect(events.map(({ type }) => type)).toEqual(['support.started', 'support.used', 'support.wrote']);
      expect(events[0].actor).toEqual({ type: 'operator', id: 'helga' });
      expect(events[2]).toMatchObject({
        actor: { type: 'support', id: body.id },
        subject: body.id,
        data: { who: 'helga', reason: 'ticket 4711', method: 'POST', path: '/orders' },
      });
      expect(await call('GET /tenant/support', await as('adam', tenant))).toMatchObject({
        body: { data: [{ id: body.id, status: 'open', firstUsedAt: expect.any(String) }] },
      });
    });

    it('is in no other place than the header, and is good for no other tenant', async () => {
      const [tenant, other] = [await makeTenant('allowed'), await makeTenant()];
      const { credential } = (await enter(tenant)).body;
      for (const [line, headers] of [
        [`GET /orders?x-support-key=${credential}`, {}],
        ['GET /orders', { cookie: `x-support-key=${credential}` }],
        ['GET /orders', { 'x-api-key': credential }],
        ['GET /orders', { authorization: `Bearer ${credential}` }],
        ['GET /orders', using(`${credential}x`)],
        ['GET /orders', using(credential.slice(0, -1))],
      ] as [string, Record<string, string>][])
        expect((await call(line, { 'x-tenant-id': tenant.slug, ...headers })).status).toBe(401);
      expect(await call('GET /orders', { ...using(credential), 'x-tenant-id': other.slug })).toEqual(
        refused(403, 'TENANT_MISMATCH'),
      );
      const socket = { ...using(credential), connection: 'Upgrade', upgrade: 'websocket' };
      expect((await call('GET /orders', socket)).status).toBe(403);
      expect((await call('GET /orders', using(credential))).status).toBe(200);
      // It belongs nowhere.
      const mine = await call('GET /me/tenants', using(credential));
      expect([mine.status, mine.body.data]).toEqual([200, []]);
    });

    it('needs a master key that may enter, a reason, scopes and a bounded time', async () => {
      const tenant = await makeTenant('allowed');
      const path = `POST /admin/tenants/${tenant.slug}/support-sessions`;
      const body = { reason: 'why', scopes: ['orders:read'] };
      expect(await call(path, withMaster(READER), body)).toEqual(refused(403, 'SCOPE_MISSING'));
      for (const [field, bad] of [
        ['reason', { reason: ' ' }],
        ['reason', { reason: 'x'.repeat(501) }],
        ['minutes', { minutes: 1_441 }],
        ['minutes', { minutes: 0 }],
        ['scopes', { scopes: [] }],
        ['scopes', { scopes: ['*'] }],
      ] as const)
        expect(await enter(tenant, bad)).toMatchObject({ status: 400, body: { errors: [{ field }] } });
      const once = { 'idempotency-key': 'one' };
      const first = await enter(tenant, {}, once);
      expect(await enter(tenant, {}, once)).toEqual(first);
      expect(await sessions.list(tenant.id, { limit: 5 })).toHaveLength(1);
    });

    it('waits for an owner where the tenant is asked, and lapses without', async () => {
      const tenant = await makeTenant();
      const [{ body: waiting }, { body: forgotten }] = [await enter(tenant), await enter(tenant)];
      expect(waiting.status).toBe('waiting');
      expect(await call('GET /orders', using(waiting.credential))).toEqual(
        refused(403, 'SUPPORT_NOT_APPROVED'),
      );
      const path = `POST /tenant/support/${String(waiting.id)}/approve`;
      expect(await call(path, await as('adam', tenant))).toEqual(refused(403, 'OWNER_REQUIRED'));
      expect(await call(path, await as('olga', tenant))).toMatchObject({
        status: 200,
        body: { status: 'open', approvedBy: `${ISSUER} olga` },
      });
      expect((await call('GET /orders', using(waiting.credential))).status).toBe(200);

      await database.query(
        `UPDATE tenancy.tenant_support_sessions SET expires_at = clock_timestamp() WHERE tenant_id = $1`,
        [tenant.id],
      );
      await sessions.endOver();
      expect(await call('GET /orders', using(forgotten.credential))).toEqual(refused(401, 'SUPPORT_ENDED'));
      expect(await call('GET /orders', using(waiting.credential))).toEqual(refused(401, 'SUPPORT_ENDED'));
      await expect(sessions.approve(tenant.id, forgotten.id)).rejects.toMatchObject({
        code: 'SUPPORT_ENDED',
      });
      expect(await sessions.endOver()).toBe(0);
      expect((await typesOf(tenant)).sort()).toEqual([
        ...['ended', 'lapsed', 'requested', 'requested', 'started', 'used'],
      ]);
    });

    it('is forbidden by an owner, which ends those that are open', async () => {
      const tenant = await makeTenant('allowed');
      const { credential } = (await enter(tenant)).body;
      expect((await call('GET /orders', using(credential))).status).toBe(200);
      const never = { supportAccess: 'never' };
      expect(await call('PUT /tenant/support/access', await as('adam', tenant), never)).toEqual(
        refused(403, 'OWNER_REQUIRED'),
      );
      expect(await call('PUT /tenant/support/access', await as('olga', tenant), never)).toMatchObject({
        status: 200,
        body: never,
      });
      expect(await call('GET /orders', using(credential))).toEqual(refused(401, 'SUPPORT_ENDED'));
      expect(await enter(tenant)).toEqual(refused(403, 'SUPPORT_FORBIDDEN'));
      expect(
        await call('PUT /tenant/support/access', await as('olga', tenant), { supportAccess: 'maybe' }),
      ).toMatchObject({ status: 400 });
      await expect(typesOf(tenant)).resolves.toEqual([
        ...['access-changed', 'started', 'used', 'revoked', 'access-changed'],
      ]);
    });

    it('ends on all instances when it is revoked, even for a request that was let in just before', async () => {
      const other = running[1] ?? (await startInstance());
      const tenant = await makeTenant('allowed');
      const { id, credential } = (await enter(tenant)).body;
      for (const { url } of [running[0], other])
        expect((await call('GET /orders', using(credential), undefined, url)).status).toBe(200);
      expect(await call(`DELETE /tenant/support/${String(id)}`, await as('adam', tenant))).toMatchObject({
        status: 200,
        body: { status: 'revoked' },
      });
      expect(await call('GET /orders', using(credential))).toEqual(refused(401, 'SUPPORT_ENDED'));
      // Whether or not the other instance has heard of it.
      expect(await call('POST /orders', using(credential), undefined, other.url)).toEqual(
        refused(401, 'SUPPORT_ENDED'),
      );
      await expect(sessions.recordUse(tenant.id, id, { method: 'POST', path: '/' })).rejects.toMatchObject({
        code: 'SUPPORT_ENDED',
      });
      for (let isHeard = false; !isHeard;)
        isHeard = (await call('GET /orders', using(credential), undefined, other.url)).status === 401;
      await expect(typesOf(tenant)).resolves.toEqual(['access-changed', 'started', 'used', 'revoked']);
    });

    it('is nobody of a tenant that is suspended or purged', async () => {
      const tenant = await makeTenant('allowed');
      const { credential } = (await enter(tenant)).body;
      await app.get(TenantLifecycle).suspend(tenant.id);
      expect(await call('GET /orders', using(credential))).toEqual(refused(403, 'TENANT_NOT_ACTIVE'));
      await app.get(TenantLifecycle).delete(tenant.id);
      await app.get(TenantPurge).purge(tenant.id);
      expect(await call('GET /orders', using(credential))).toEqual(refused(401, 'SUPPORT_KEY_INVALID'));
      expect(
        await database.query('SELECT FROM tenancy.tenant_support_access WHERE tenant_id = $1', [tenant.id]),
      ).toEqual([]);
    });
  });

  describe('a recovery key', () => {
    const create = (tenant: Tenant, body: object = {}, more: Record<string, string> = {}) =>
      call(`POST /admin/tenants/${tenant.slug}/recovery-keys`, withMaster(RESCUER, more), {
        reason: 'olga has left',
        ...body,
      });
    const recover = async (key: string, sub: string) =>
      call('POST /recovery', { authorization: `Bearer ${await token({ iss: ISSUER, sub })}` }, { key });

    it('makes who presents it an owner, once, and all owners are told', async () => {
      notices.length = 0;
      const tenant = await makeTenant();
      const once = { 'idempotency-key': 'one' };
      const { status, body } = await create(tenant, {}, once);
      expect(status).toBe(201);
      expect(body).toMatchObject({
        ...{ tenantId: tenant.id, actor: 'robert', reason: 'olga has left' },
        key: expect.stringMatching(/^rec_[0-9a-f]{32}_[0-9A-Za-z]{49}$/),
      });
      expect((await create(tenant, {}, once)).body).toEqual(body);
      expect(await create(tenant)).toEqual(refused(409, 'RECOVERY_KEY_EXISTS'));
      expect(await call('POST /recovery', {}, { key: body.key })).toEqual(refused(401, 'UNAUTHENTICATED'));
      expect(await recover(body.key.slice(0, -1), 'nina')).toEqual(refused(404, 'RECOVERY_KEY_INVALID'));

      const tries = await whileMembersAreLocked(database, tenant.id, () =>
        ['nina', 'nora', 'nils'].map((sub) => recover(body.key, sub)),
      );
      expect(tries.map(({ status: each }) => each).sort()).toEqual([201, 404, 404]);
      const owners = (await members.list(tenant, { limit: 9 })).filter(({ roles }) =>
        roles.includes('owner'),
      );
      expect(owners).toHaveLength(2);
      expect(await call('GET /tenant/members', await as(owners[1].subject, tenant))).toMatchObject({
        status: 200,
      });
      expect(notices).toMatchObject([
        { to: 'olga@shop.example', what: 'created', actor: 'robert', reason: 'olga has left' },
        { to: 'olga@shop.example', what: 'used', actor: owners[1].subject },
      ]);
      const events = await eventsOf(tenant, 'recovery-key.*');
      expect(events.map(({ type }) => type)).toEqual(['recovery-key.created', 'recovery-key.used']);
      expect(events[1]).toMatchObject({ actor: { type: 'user' }, data: { member: owners[1].id } });
      expect((await create(tenant)).status).toBe(201);
    });

    it('raises a member, and lets in one who was blocked', async () => {
      const tenant = await makeTenant();
      const [, adam] = await members.list(tenant, { limit: 9 });
      await members.block(tenant, adam.id);
      const { body } = await create(tenant);
      expect(await recover(body.key, 'adam')).toMatchObject({
        status: 201,
        body: { member: { id: adam.id, roles: ['admin', 'owner'] } },
      });
      await expect(members.get(tenant, adam.id)).resolves.toMatchObject({ status: 'active' });
    });

    it('ends with its time, when it is revoked, and needs a master key of its own', async () => {
      const tenant = await makeTenant();
      const path = `/admin/tenants/${tenant.slug}/recovery-keys`;
      for (const key of [READER, HELPER])
        expect(await call(`POST ${path}`, withMaster(key), { reason: 'why' })).toEqual(
          refused(403, 'SCOPE_MISSING'),
        );
      expect(await create(tenant, { minutes: 9_999, reason: '' })).toMatchObject({
        status: 400,
        body: { errors: [{ field: 'reason' }, { field: 'minutes' }] },
      });
      const { body: late } = await create(tenant);
      await database.query(
        'UPDATE tenancy.tenant_recovery_keys SET expires_at = clock_timestamp() WHERE id = $1',
        [late.id],
      );
      expect(await recover(late.key, 'nina')).toEqual(refused(404, 'RECOVERY_KEY_INVALID'));
      const { body: wrong } = await create(tenant);
      const other = await makeTenant();
      const of = ({ slug }: Tenant) => `DELETE /admin/tenants/${slug}/recovery-keys/${String(wrong.id)}`;
      expect(await call(of(other), withMaster(RESCUER))).toEqual(refused(404, 'RECOVERY_KEY_INVALID'));
      expect((await call(of(tenant), withMaster(RESCUER))).status).toBe(204);
      expect(await recover(wrong.key, 'nina')).toEqual(refused(404, 'RECOVERY_KEY_INVALID'));
      await expect(typesOf(tenant, 'recovery-key.*')).resolves.toEqual(['created', 'created', 'revoked']);
    });
  });

  it('keys of tenants say nothing of support', async () => {
    const tenant = await makeTenant('allowed');
    const { key } = await app.get(ApiKeys).create(tenant.id, { name: 'test', scopes: ['orders:read'] });
    expect((await call('GET /orders', { 'x-api-key': key })).body).toEqual({
      type: 'api_key',
      tenantId: tenant.id,
    });
    const { credential } = (await enter(tenant)).body;
    expect(await call('GET /orders', { 'x-api-key': key, ...using(credential) })).toEqual(
      refused(400, 'CREDENTIALS_AMBIGUOUS'),
    );
  });
});
