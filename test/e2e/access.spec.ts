import { inspect } from 'node:util';
import { Controller, Get } from '@nestjs/common';
import { TenancyModule, type Tenant } from '../../lib';
import { Principal, RequireScopes } from '../../lib/access';
import { VerifiedCredential } from '../../lib/resolution/resolvers/verified-credential';
import { type AccessApp, handled, startAccessApp, token } from '../support/access-app';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import type { RawAnswer } from '../support/raw-request';
import { ADAPTERS } from '../support/sample-app';
import { startTestApp } from '../support/test-app';

const refused = (status: number, code: string) =>
  expect.objectContaining({ status, body: { statusCode: status, code, message: expect.any(String) } });
const UNAUTHENTICATED = refused(401, 'UNAUTHENTICATED');
const MISMATCH = refused(403, 'TENANT_MISMATCH');
const bearer = (text: string) => ({ authorization: `Bearer ${text}` });

describe.each(ADAPTERS)('With the access module on %s', (_platform, adapter) => {
  let database: TestDatabase;
  let app: AccessApp;
  let acme: Tenant;
  let globex: Tenant;

  beforeAll(async () => {
    database = await createTestDatabase();
    app = await startAccessApp(database, adapter());
    acme = await app.create({ slug: 'acme' });
    globex = await app.create({ slug: 'globex' });
  });
  afterAll(async () => {
    await app?.close();
    await database?.drop();
  });

  const withKey = (key: string, line = 'GET /orders', headers: Record<string, string> = {}) =>
    app.call(line, { 'x-api-key': key, ...headers });

  /** Whatever `work` asks for, no handler runs. */
  async function beforeHandlers(work: () => Promise<RawAnswer>): Promise<RawAnswer> {
    const before = handled.count;
    const answer = await work();
    expect(handled.count).toBe(before);
    return answer;
  }

  describe('a request without a credential', () => {
    it.each([
      ['of nobody', {}],
      ['of a tenant', { 'x-tenant-id': 'acme' }],
      ['of an unknown tenant', { 'x-tenant-id': 'nobody' }],
      ['of a malformed one', { 'x-tenant-id': '../acme' }],
      ['at a host of one', { host: 'acme.example.com' }],
    ])('%s is 401 before the handler, and learns nothing of tenants', async (_case, headers) => {
      for (const path of ['/orders', '/who', '/free', '/optional', '/me', '/tenant/keys'])
        expect(await beforeHandlers(() => app.call(`GET ${path}`, headers))).toEqual(UNAUTHENTICATED);
    });

    it('reaches public routes, of a tenant and of none', async () => {
      await expect(app.call('GET /health')).resolves.toMatchObject({ status: 200 });
      await expect(app.call('GET /public', { 'x-tenant-id': 'acme' })).resolves.toEqual({
        status: 200,
        body: { slug: 'acme', subject: null },
      });
    });

    it('is told how to do better', async () => {
      const response = await fetch(`${app.url}/who`);
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
    });
  });

  describe('a key', () => {
    it('names its tenant, and is the principal', async () => {
      const { key, id } = await app.makeKey(acme.id);
      await expect(withKey(key)).resolves.toEqual({ status: 200, body: { slug: 'acme' } });
      await expect(withKey(key, 'GET /who')).resolves.toEqual({
        status: 200,
        body: { type: 'api_key', subject: id, tenantId: acme.id, scopes: ['orders:*'] },
      });
      await expect(withKey(key, 'GET /public')).resolves.toMatchObject({
        body: { slug: 'acme', subject: id },
      });
      await expect(withKey(key, 'GET /free')).resolves.toMatchObject({ body: { tenantId: acme.id } });
    });

    it('agrees with the header and the host of its tenant, and with no other', async () => {
      const { key } = await app.makeKey(acme.id);
      for (const tenant of ['acme', acme.id])
        await expect(withKey(key, 'GET /orders', { 'x-tenant-id': tenant })).resolves.toMatchObject({
          status: 200,
        });
      await expect(withKey(key, 'GET /orders', { host: 'acme.example.com' })).resolves.toMatchObject({
        status: 200,
      });
      await expect(withKey(key, 'GET /orders', { 'x-tenant-id': 'globex' })).resolves.toEqual(MISMATCH);
      await expect(withKey(key, 'GET /orders', { host: 'globex.example.com' })).resolves.toEqual(MISMATCH);
      await expect(withKey(key, 'GET /orders', { 'x-tenant-id': 'nobody' })).resolves.toEqual(
        refused(404, 'TENANT_NOT_FOUND'),
      );
    });

    it.each(['suspended', 'deleted'])('of a tenant that is %s is 403', async (status) => {
      const tenant = await app.create({ slug: `ends-${status}` });
      const { key } = await app.makeKey(tenant.id);
      await expect(withKey(key)).resolves.toMatchObject({ status: 200 });
      const line =
        status === 'suspended'
          ? `POST /admin/tenants/${tenant.id}/suspend`
          : `DELETE /admin/tenants/${tenant.id}`;
      await expect(app.admin(line)).resolves.toMatchObject({ status: 200 });
      await expect(withKey(key)).resolves.toEqual(refused(403, 'TENANT_NOT_ACTIVE'));
    });

    it('of a purged tenant is gone with it', async () => {
      const tenant = await app.create({ slug: 'purged' });
      const { key } = await app.makeKey(tenant.id);
      await app.admin(`DELETE /admin/tenants/${tenant.id}`);
      await expect(app.admin(`DELETE /admin/tenants/${tenant.id}?purge=true`)).resolves.toMatchObject({
        status: 204,
      });
      await expect(withKey(key)).resolves.toEqual(refused(401, 'API_KEY_INVALID'));
      await expect(
        database.query('SELECT id FROM tenancy.api_keys WHERE tenant_id = $1', [tenant.id]),
      ).resolves.toEqual([]);
    });

    it('that was mistyped or cut off is told from one that nobody has', async () => {
      const { key } = await app.makeKey(acme.id);
      const mistyped = key.slice(0, 40) + (key[40] === 'x' ? 'y' : 'x') + key.slice(41);
      for (const text of [mistyped, key.slice(0, -1), key.slice(0, 20), 'sk_', `${key}x`, 'a'.repeat(8_000)])
        expect(await beforeHandlers(() => withKey(text))).toEqual(refused(401, 'API_KEY_MALFORMED'));
      await database.query('DELETE FROM tenancy.api_keys WHERE id = $1', [key.slice(3, 35)]);
      for (;;) if ((await withKey(key)).status === 401) break;
      await expect(withKey(key)).resolves.toEqual(refused(401, 'API_KEY_INVALID'));
      await expect(withKey(key, 'GET /free')).resolves.toEqual(refused(401, 'API_KEY_INVALID'));
    });

    it('sent twice, or twice in one header, is none', async () => {
      const { key } = await app.makeKey(acme.id);
      await expect(app.call('GET /orders', { 'x-api-key': [key, key] })).resolves.toMatchObject({
        status: 401,
      });
      await expect(withKey(`${key}, ${key}`)).resolves.toMatchObject({ status: 401 });
    });

    it('may do what its scopes say, and without any nothing', async () => {
      const { key: reader } = await app.makeKey(acme.id, { scopes: ['orders:read'] });
      await expect(withKey(reader)).resolves.toMatchObject({ status: 200 });
      const answer = await beforeHandlers(() => withKey(reader, 'POST /orders'));
      expect(answer).toEqual(refused(403, 'SCOPE_MISSING'));
      expect(answer.body.message).toContain('"orders:write"');
      const { key: nothing } = await app.makeKey(acme.id, { scopes: [] });
      await expect(withKey(nothing)).resolves.toEqual(refused(403, 'SCOPE_MISSING'));
      await expect(withKey(nothing, 'GET /me')).resolves.toMatchObject({ status: 200 });
    });

    it('may be used from its addresses only', async () => {
      const { key: here } = await app.makeKey(acme.id, { allowedIps: ['127.0.0.0/8', '::1'] });
      const { key: elsewhere } = await app.makeKey(acme.id, { allowedIps: ['192.0.2.0/24'] });
      await expect(withKey(here)).resolves.toMatchObject({ status: 200 });
      await expect(withKey(elsewhere)).resolves.toEqual(refused(403, 'API_KEY_ADDRESS_REFUSED'));
      await expect(withKey(elsewhere, 'GET /free')).resolves.toEqual(refused(403, 'API_KEY_ADDRESS_REFUSED'));
      // Nobody is believed who says so himself.
      await expect(
        withKey(elsewhere, 'GET /orders', { 'x-forwarded-for': '192.0.2.1' }),
      ).resolves.toMatchObject({
        status: 403,
      });
    });

    it('is refused from the moment at which it expires, remembered or not', async () => {
      const { key } = await app.makeKey(acme.id, { expiresAt: new Date(Date.now() + 1_000) });
      const first = await withKey(key);
      for (;;) {
        const answer = await withKey(key);
        if (answer.status !== 200) {
          expect(answer).toEqual(refused(401, 'API_KEY_EXPIRED'));
          break;
        }
      }
      expect([200, 401]).toContain(first.status);
    });

    it('is kept as nothing but its SHA-256', async () => {
      const { key } = await app.makeKey(acme.id);
      const rows = await database.query<{ row: string }>('SELECT k::text AS row FROM tenancy.api_keys k');
      for (const { row } of rows) expect(row).not.toContain(key.slice(40, 80));
      const [{ same }] = await database.query<{ same: boolean }>(
        'SELECT digest = sha256($1::text::bytea) AS same FROM tenancy.api_keys WHERE id = $2',
        [key, key.slice(3, 35)],
      );
      expect(same).toBe(true);
    });
  });

  describe('a token', () => {
    it('is the principal, with its scopes and its claims', async () => {
      const text = await token({ tenants: 'acme', scope: 'orders:read openid' });
      await expect(app.call('GET /who', bearer(text))).resolves.toEqual({
        status: 200,
        body: { type: 'access_token', subject: 'ann', tenantId: acme.id, scopes: ['orders:read', 'openid'] },
      });
      await expect(app.call('GET /claims', bearer(text))).resolves.toMatchObject({
        status: 200,
        body: { sub: 'ann', tenants: 'acme' },
      });
      await expect(app.call('GET /orders', bearer(text))).resolves.toMatchObject({ status: 200 });
      await expect(app.call('POST /orders', bearer(text))).resolves.toEqual(refused(403, 'SCOPE_MISSING'));
    });

    it('that lists several organizations needs a choice, which must be among them', async () => {
      const text = await token({ tenants: ['acme', globex.id], scope: 'orders:read' });
      for (const line of ['GET /who', 'GET /free', 'GET /me'])
        await expect(app.call(line, bearer(text))).resolves.toEqual(refused(400, 'TENANT_CHOICE_REQUIRED'));
      for (const choice of ['acme', acme.id, 'globex', globex.id])
        await expect(
          app.call('GET /orders', { ...bearer(text), 'x-tenant-id': choice }),
        ).resolves.toMatchObject({
          status: 200,
        });
      await expect(app.call('GET /orders', { ...bearer(text), host: 'globex.example.com' })).resolves.toEqual(
        {
          status: 200,
          body: { slug: 'globex' },
        },
      );
      await app.create({ slug: `hooli` });
      await expect(app.call('GET /orders', { ...bearer(text), 'x-tenant-id': 'hooli' })).resolves.toEqual(
        MISMATCH,
      );
    });

    it('that names no tenant is good for none', async () => {
      const text = await token({ scope: 'orders:read' });
      await expect(app.call('GET /orders', { ...bearer(text), 'x-tenant-id': 'acme' })).resolves.toEqual(
        MISMATCH,
      );
      await expect(app.call('GET /orders', bearer(text))).resolves.toEqual(refused(400, 'TENANT_MISSING'));
      await expect(app.call('GET /optional', bearer(text))).resolves.toEqual({
        status: 200,
        body: { subject: 'ann', tenantId: null },
      });
      await expect(app.call('GET /me', bearer(text))).resolves.toMatchObject({ body: { tenant: null } });
      // Public routes are open to all, but its holder is nobody there.
      const inAcme = { ...bearer(text), 'x-tenant-id': 'acme' };
      await expect(app.call('GET /health', inAcme)).resolves.toMatchObject({ status: 200 });
      await expect(app.call('GET /public', inAcme)).resolves.toEqual({
        status: 200,
        body: { slug: 'acme', subject: null },
      });
    });

    it.each<[string, () => Promise<string>]>([
      ['forged', () => token({ tenants: 'acme' }, 'another secret that nobody has, 0123456789')],
      ['expired', () => token({ tenants: 'acme', exp: 1_000 })],
      ['unsigned', () => Promise.resolve(`${Buffer.from('{"alg":"none"}').toString('base64url')}.e30.`)],
      ['of 8 kB', () => Promise.resolve('a'.repeat(8_000))],
      ['no token', () => Promise.resolve('x')],
    ])('that is %s is 401, whatever the route and the tenant', async (_case, make) => {
      const text = await make();
      for (const path of ['/orders', '/free', '/optional', '/me'])
        for (const headers of [
          {} as Record<string, string>,
          { 'x-tenant-id': 'acme' },
          { 'x-tenant-id': 'nobody' },
        ])
          expect(
            await beforeHandlers(() => app.call(`GET ${path}`, { ...bearer(text), ...headers })),
          ).toEqual(refused(401, 'TENANT_TOKEN_INVALID'));
    });
  });

  it('two credentials at once are refused, even when both are good', async () => {
    const { key } = await app.makeKey(acme.id);
    const text = await token({ tenants: 'acme', scope: 'orders:read' });
    for (const path of ['/orders', '/free'])
      await expect(app.call(`GET ${path}`, { ...bearer(text), 'x-api-key': key })).resolves.toEqual(
        refused(400, 'CREDENTIALS_AMBIGUOUS'),
      );
    await expect(app.call('GET /orders', { ...bearer('x'), 'x-api-key': key })).resolves.toMatchObject({
      status: 401,
    });
  });

  it('GET /me tells who I am, of which tenant, and what I may do', async () => {
    const { key, id } = await app.makeKey(acme.id);
    await expect(withKey(key, 'GET /me')).resolves.toEqual({
      status: 200,
      body: {
        tenantId: acme.id,
        type: 'api_key',
        subject: id,
        scopes: ['orders:*'],
        tenant: { id: acme.id, slug: 'acme', name: 'acme' },
      },
    });
  });

  it('asking an API key for its claims is a mistake of the programmer', async () => {
    const { key } = await app.makeKey(acme.id);
    await expect(withKey(key, 'GET /claims')).resolves.toEqual(refused(500, 'NOT_AN_ACCESS_TOKEN'));
    expect(app.log.errors.join()).toMatch(/Check principal\.type/);
    expect(app.log.errors.join()).not.toContain(key);
  });

  it('the admin API asks for its own key alone', async () => {
    await expect(app.admin('GET /admin/tenants/acme')).resolves.toMatchObject({ status: 200 });
    const { key } = await app.makeKey(acme.id, { scopes: ['tenants:*'] });
    await expect(withKey(key, 'GET /admin/tenants/acme')).resolves.toEqual(
      refused(401, 'MASTER_KEY_INVALID'),
    );
  });
});

describe('A principal', () => {
  const principal = new Principal(
    new VerifiedCredential('sk_secret', {
      type: 'api_key',
      subject: 'an id',
      name: 'api key an id',
      scopes: ['orders:*'],
      namesTenant: true,
      claims: undefined,
    }),
    'a tenant',
  );

  it('gives its credentials to who asks, and shows them to nobody who logs or serialises it', () => {
    expect(principal.credentials()).toBe('sk_secret');
    for (const shown of [
      inspect(principal, { depth: Infinity, showHidden: true }),
      JSON.stringify(principal),
      JSON.stringify({ principal }),
      JSON.stringify(Object.assign({}, principal)),
      JSON.stringify(structuredClone({ ...principal })),
    ])
      expect(shown).not.toContain('sk_secret');
    expect(JSON.parse(JSON.stringify(principal))).toEqual({
      tenantId: 'a tenant',
      type: 'api_key',
      subject: 'an id',
      scopes: ['orders:*'],
    });
  });

  it('has a scope by itself and by its resource', () => {
    expect(principal.hasScope('orders:read')).toBe(true);
    expect(principal.hasScope('keys:read')).toBe(false);
  });
});

it('@RequireScopes() without the module that obeys it keeps the application from starting', async () => {
  @Controller()
  class Orders {
    @Get('orders')
    @RequireScopes('orders:read')
    list() {
      return [];
    }
  }
  const database = await createTestDatabase();
  try {
    const imports = [TenancyModule.forRoot(notesOptions(database))];
    await expect(startTestApp({ imports, controllers: [Orders] })).rejects.toMatchObject({
      code: 'ACCESS_MODULE_MISSING',
      message: expect.stringContaining('@RequireScopes() needs TenancyAccessModule.forRoot()'),
    });
  } finally {
    await database.drop();
  }
});
