import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import type { Tenant } from '../../lib';
import { ApiKeyLimitError, ApiKeys } from '../../lib/access';
import { ApiKeyUses } from '../../lib/access/api-key-uses';
import { type AccessApp, startAccessApp, token } from '../support/access-app';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { ANY_ADAPTER } from '../support/sample-app';

const refused = (status: number, code: string) =>
  expect.objectContaining({ status, body: { statusCode: status, code, message: expect.any(String) } });
const invalid = (field: string) =>
  expect.objectContaining({
    status: 400,
    body: expect.objectContaining({
      code: 'VALIDATION_FAILED',
      errors: expect.arrayContaining([{ field, message: expect.any(String) }]),
    }),
  });

describe.each(ANY_ADAPTER)('Keys by HTTP on %s', (_platform, adapter) => {
  let database: TestDatabase;
  let app: AccessApp;
  let acme: Tenant;
  let admin: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    app = await startAccessApp(database, adapter());
    acme = await app.create({ slug: 'acme' });
    await app.create({ slug: 'globex' });
    ({ key: admin } = await app.makeKey(acme.id, { scopes: ['keys:*', 'orders:read'] }));
  });
  afterAll(async () => {
    await app?.close();
    await database?.drop();
  });

  const withKey = (key: string, line: string, body?: unknown, headers: Record<string, string> = {}) =>
    app.call(line, { 'x-api-key': key, ...headers }, body);

  /** The same calls for a master key and for a principal of the tenant. */
  const WAYS = [
    ['a master key', '/admin/tenants/acme/keys', (each: AccessApp) => each.admin],
    ['a principal', '/tenant/keys', () => (line, body, headers) => withKey(admin, line, body, headers)],
  ] as const satisfies [string, string, (app: AccessApp) => AccessApp['admin']][];

  describe.each(WAYS)('with %s', (_who, path, way) => {
    const call: AccessApp['admin'] = (line, body, headers) =>
      way(app)(line.replace(' ', ` ${path}`), body, headers);
    const make = async (input: object = {}) =>
      (await call('POST ', { name: 'export', scopes: ['orders:read'], ...input })).body;

    it('are made, and their text is shown once', async () => {
      const { status, body } = await call('POST ', {
        name: 'export',
        scopes: ['orders:read'],
        expiresAt: '2999-01-01T00:00:00Z',
        allowedIps: ['127.0.0.0/8', '::1'],
      });
      expect({ status, body }).toEqual({
        status: 201,
        body: {
          id: expect.stringMatching(/^[0-9a-f-]{36}$/),
          tenantId: acme.id,
          name: 'export',
          hint: body.key.slice(-4),
          scopes: ['orders:read'],
          allowedIps: ['127.0.0.0/8', '::1'],
          status: 'active',
          expiresAt: '2999-01-01T00:00:00.000Z',
          blockedAt: null,
          revokedAt: null,
          overlapEndsAt: null,
          lastUsedAt: null,
          createdAt: expect.any(String),
          updatedAt: expect.any(String),
          key: expect.stringMatching(/^sk_[0-9a-f]{32}_[0-9A-Za-z]{49}$/),
        },
      });
      await expect(withKey(body.key, 'GET /orders')).resolves.toMatchObject({ status: 200 });
      const { key: _, ...shown } = body;
      const again = await call(`GET /${body.id}`);
      expect(again.body).toEqual({ ...shown, lastUsedAt: null });
    });

    it('are listed page by page', async () => {
      const made = [await make(), await make(), await make()].map(({ id }) => id);
      const seen: string[] = [];
      for (let cursor: string | null = ''; cursor !== null;) {
        const page = await call(`GET ?limit=2${cursor && `&cursor=${cursor}`}`);
        expect(page).toMatchObject({ status: 200 });
        expect(page.body.data.length).toBeLessThanOrEqual(2);
        seen.push(...page.body.data.map(({ id }: { id: string }) => id));
        cursor = page.body.nextCursor;
      }
      expect(seen).toEqual([...new Set(seen)]);
      expect(seen.filter((id) => made.includes(id))).toEqual(made);
      await expect(call('GET ?cursor=x')).resolves.toEqual(invalid('cursor'));
    });

    it('are blocked, unblocked and revoked, which is final; a repeated action changes nothing', async () => {
      const { id, key } = await make();
      const use = () => withKey(key, 'GET /orders');
      await expect(use()).resolves.toMatchObject({ status: 200 });
      for (let time = 0; time < 2; time += 1) {
        await expect(call(`POST /${id}/block`)).resolves.toMatchObject({
          status: 200,
          body: { status: 'blocked' },
        });
        await expect(use()).resolves.toEqual(refused(401, 'API_KEY_BLOCKED'));
      }
      await expect(call(`POST /${id}/unblock`)).resolves.toMatchObject({
        status: 200,
        body: { status: 'active' },
      });
      await expect(use()).resolves.toMatchObject({ status: 200 });
      for (let time = 0; time < 2; time += 1) {
        await expect(call(`DELETE /${id}`)).resolves.toMatchObject({
          status: 200,
          body: { status: 'revoked' },
        });
        await expect(use()).resolves.toEqual(refused(401, 'API_KEY_REVOKED'));
      }
      for (const line of [`POST /${id}/block`, `POST /${id}/rotate`])
        await expect(call(line)).resolves.toEqual(refused(409, 'API_KEY_REVOKED'));
      const { body } = await app.admin('GET /admin/tenants/acme/audit');
      const mine = body.data.filter(({ details }: { details: { key?: string } }) => details.key === id);
      expect(mine.map(({ action }: { action: string }) => action)).toEqual([
        'revoke-key',
        'unblock-key',
        'block-key',
        'create-key',
      ]);
    });

    it('are rotated while in use: both texts work until the overlap ends', async () => {
      const { id, key: old } = await make();
      const rotated = await call(`POST /${id}/rotate`, {});
      expect(rotated).toMatchObject({ status: 200, body: { id, overlapEndsAt: expect.any(String) } });
      const left = Date.parse(rotated.body.overlapEndsAt) - Date.now();
      expect(left).toBeGreaterThan(800_000);
      expect(left).toBeLessThanOrEqual(900_000);
      for (const key of [old, rotated.body.key])
        await expect(withKey(key, 'GET /orders')).resolves.toMatchObject({ status: 200 });
      const now = await call(`POST /${id}/rotate`, { overlapMs: 0 });
      for (const key of [old, rotated.body.key])
        await expect(withKey(key, 'GET /orders')).resolves.toEqual(refused(401, 'API_KEY_INVALID'));
      await expect(withKey(now.body.key, 'GET /orders')).resolves.toMatchObject({ status: 200 });
    });

    it('come with an ETag, and are changed only as they were seen', async () => {
      const { id } = await make();
      const response = await fetch(`${app.url}${path}/${id}`, {
        headers: {
          'x-master-key': 'a master key that is only for tests, 0123456789',
          'x-api-key': path === '/tenant/keys' ? admin : '',
        },
      }).catch(() => undefined);
      const etag = response?.headers.get('etag') ?? '';
      if (path === '/tenant/keys') expect(etag).toMatch(/^"/);
      const tag = `"${id}.1"`;
      await expect(call(`PATCH /${id}`, { name: 'x' }, { 'if-match': `"${id}.9"` })).resolves.toEqual(
        refused(412, 'PRECONDITION_FAILED'),
      );
      await expect(call(`PATCH /${id}`, { name: 'x' }, { 'if-match': tag })).resolves.toMatchObject({
        status: 200,
        body: { name: 'x' },
      });
      await expect(call(`PATCH /${id}`, { name: 'y' }, { 'if-match': tag })).resolves.toMatchObject({
        status: 412,
      });
      await expect(call(`GET /${id}`, undefined, { 'if-none-match': `"${id}.2"` })).resolves.toMatchObject({
        status: 304,
      });
    });

    it('are made once, however often the request is sent, and the database alone does not give the text away', async () => {
      const headers = { 'idempotency-key': randomUUID() };
      const first = await call('POST ', { name: 'once', scopes: ['orders:read'] }, headers);
      const again = await call('POST ', { name: 'once', scopes: ['orders:read'] }, headers);
      expect(again).toEqual(first);
      expect(first).toMatchObject({ status: 201, body: { key: expect.stringMatching(/^sk_/) } });
      const kept = await database.query<{ answer: string }>(
        'SELECT answer::text FROM tenancy.idempotency_keys WHERE answer IS NOT NULL',
      );
      expect(kept.some(({ answer }) => answer.includes(first.body.id))).toBe(true);
      for (const { answer } of kept) expect(answer).not.toContain(first.body.key);
      await expect(call('POST ', { name: 'other' }, headers)).resolves.toEqual(
        refused(422, 'IDEMPOTENCY_KEY_REUSED'),
      );
    });

    it.each<[string, object, string]>([
      ['no name', {}, 'name'],
      ['an empty name', { name: ' ' }, 'name'],
      ['a name of 101 characters', { name: 'x'.repeat(101) }, 'name'],
      ['a name with NUL', { name: 'a\0' }, 'name'],
      ['a scope that is none', { name: 'x', scopes: ['orders'] }, 'scopes'],
      ['a scope for everything', { name: 'x', scopes: ['*'] }, 'scopes'],
      ['101 scopes', { name: 'x', scopes: Array.from({ length: 101 }, (_, i) => `a${i}:read`) }, 'scopes'],
      ['scopes as text', { name: 'x', scopes: 'orders:read' }, 'scopes'],
      ['an expiry that has passed', { name: 'x', expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'],
      ['an expiry without a zone', { name: 'x', expiresAt: '2999-01-01T00:00:00' }, 'expiresAt'],
      ['an expiry on no day', { name: 'x', expiresAt: '2999-13-01T00:00:00Z' }, 'expiresAt'],
      ['an expiry as a number', { name: 'x', expiresAt: 1 }, 'expiresAt'],
      ['an address that is none', { name: 'x', allowedIps: ['10.0.0.0/33'] }, 'allowedIps'],
      ['a field it does not know', { name: 'x', key: 'sk_mine' }, 'key'],
    ])('with %s are refused', async (_case, body, field) => {
      await expect(call('POST ', body)).resolves.toEqual(invalid(field));
    });

    it('of nobody, malformed or of another tenant are not found', async () => {
      const { body: other } = await app.admin('POST /admin/tenants/globex/keys', { name: 'other' });
      for (const id of [randomUUID(), other.id, 'x', "o'neil", '%00'])
        for (const line of [`GET /${id}`, `POST /${id}/block`, `DELETE /${id}`])
          await expect(call(line)).resolves.toEqual(refused(404, 'API_KEY_NOT_FOUND'));
    });
  });

  it('need the scope keys:write, and nobody grants a scope they lack', async () => {
    const { key: reader } = await app.makeKey(acme.id, { scopes: ['orders:read'] });
    const answer = await withKey(reader, 'GET /tenant/keys');
    expect(answer).toEqual(refused(403, 'SCOPE_MISSING'));
    expect(answer.body.message).toContain('"keys:write"');
    for (const scopes of [['orders:write'], ['orders:*'], ['orders:read', 'tenants:read']])
      await expect(withKey(admin, 'POST /tenant/keys', { name: 'x', scopes })).resolves.toEqual(
        refused(403, 'SCOPE_MISSING'),
      );
  });

  it('of more scopes than one has are seen, and not touched: each change is 403 and changes nothing', async () => {
    const { id } = await app.makeKey(acme.id, { scopes: ['orders:*'] });
    const { key: keeper } = await app.makeKey(acme.id, { scopes: ['keys:write'] });
    const bearer = `Bearer ${await token({ tenants: 'acme', scope: 'keys:write orders:read' })}`;
    const before = await app.app.get(ApiKeys).get(acme.id, id);
    const callers: Record<string, string>[] = [
      { 'x-api-key': keeper },
      { 'x-api-key': admin },
      { authorization: bearer },
    ];
    for (const caller of callers) {
      for (const [line, body] of [
        ['POST /block', {}],
        ['POST /unblock', {}],
        ['POST /rotate', {}],
        ['DELETE '],
        ['PATCH ', { name: 'other' }],
        ['PATCH ', { scopes: [] }],
        ['PATCH ', { allowedIps: [] }],
        ['PATCH ', { expiresAt: '2030-12-31T00:00:00Z' }],
      ] as const)
        await expect(app.call(line.replace(' ', ` /tenant/keys/${id}`), caller, body)).resolves.toEqual(
          refused(403, 'SCOPE_MISSING'),
        );
      await expect(app.call(`GET /tenant/keys/${id}`, caller)).resolves.toMatchObject({ status: 200 });
    }
    await expect(app.app.get(ApiKeys).get(acme.id, id)).resolves.toEqual(before);
    await expect(app.admin(`POST /admin/tenants/acme/keys/${id}/block`)).resolves.toMatchObject({
      status: 200,
    });
    await expect(app.admin(`DELETE /admin/tenants/acme/keys/${id}`)).resolves.toMatchObject({ status: 200 });
  });

  it('that one covers, its own among them, are blocked and revoked with keys:write', async () => {
    const { id, key } = await app.makeKey(acme.id, { scopes: ['keys:write'] });
    const { id: other } = await app.makeKey(acme.id, { scopes: [] });
    await expect(withKey(key, `POST /tenant/keys/${other}/block`)).resolves.toMatchObject({ status: 200 });
    await expect(withKey(key, `DELETE /tenant/keys/${id}`)).resolves.toMatchObject({
      status: 200,
      body: { status: 'revoked' },
    });
  });

  it('do not get out of reach of who acts on them meanwhile: the scopes that hold are those of the change', async () => {
    const keys = app.app.get(ApiKeys);
    const { id } = await app.makeKey(acme.id, { scopes: [] });
    const other = new Client({ connectionString: database.url });
    await other.connect();
    try {
      await other.query('BEGIN');
      await other.query(`UPDATE tenancy.api_keys SET scopes = '{orders:*}' WHERE id = $1`, [id]);
      const refusal = expect(keys.revoke(acme.id, id, { grantedBy: ['keys:write'] })).rejects.toMatchObject({
        code: 'SCOPE_MISSING',
      });
      const waiting = `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;
      while ((await database.query(waiting)).length === 0);
      await other.query('COMMIT');
      await refusal;
    } finally {
      await other.end();
    }
    await expect(keys.get(acme.id, id)).resolves.toMatchObject({ status: 'active' });
  });

  it('that are there already are not given another text by who makes one with their id', async () => {
    const keys = app.app.get(ApiKeys);
    const { id, key } = await app.makeKey(acme.id, { scopes: ['orders:*', 'keys:*'] });
    await expect(
      keys.create(acme.id, { name: 'x' }, { id, grantedBy: ['keys:write'] }),
    ).rejects.toMatchObject({ code: 'SCOPE_MISSING' });
    await expect(withKey(key, 'GET /me')).resolves.toMatchObject({ status: 200 });
  });

  it('are for tokens with that scope, too, by the name of their subject', async () => {
    const text = await token({ tenants: 'acme', scope: 'keys:write orders:read' });
    const made = await app.call(
      'POST /tenant/keys',
      { authorization: `Bearer ${text}` },
      { name: 'by ann', scopes: ['orders:read'] },
    );
    expect(made).toMatchObject({ status: 201 });
    const { body } = await app.admin('GET /admin/tenants/acme/audit?limit=1');
    expect(body.data[0]).toMatchObject({ action: 'create-key', actor: expect.stringContaining('ann') });
  });

  it('say when they were last used', async () => {
    const { id, key } = await app.makeKey(acme.id);
    await withKey(key, 'GET /orders');
    await app.app.get(ApiKeyUses).flush();
    const { lastUsedAt } = await app.app.get(ApiKeys).get(acme.id, id);
    expect(Math.abs(Date.now() - lastUsedAt!.getTime())).toBeLessThan(120_000);
  });

  it('come with a new tenant that asks for one', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const body = { slug: 'with-key', apiKey: true };
    const made = await app.admin('POST /admin/tenants', body, headers);
    expect(made).toMatchObject({
      status: 201,
      body: {
        slug: 'with-key',
        apiKey: { name: 'first key', scopes: ['keys:*'], key: expect.stringMatching(/^sk_/) },
      },
    });
    await expect(app.admin('POST /admin/tenants', body, headers)).resolves.toEqual(made);
    await expect(withKey(made.body.apiKey.key, 'GET /me')).resolves.toMatchObject({
      status: 200,
      body: { tenant: { slug: 'with-key' } },
    });
    await expect(app.admin('GET /admin/tenants/with-key')).resolves.not.toHaveProperty('body.apiKey');
    await expect(
      app.admin('POST /admin/tenants', { slug: 'without', apiKey: false }),
    ).resolves.not.toHaveProperty('body.apiKey');
  });

  it('come once with a new tenant, however many attempts fail or are not heard', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const body = { slug: 'tried-often', apiKey: true };
    const attempt = () => app.admin('POST /admin/tenants', body, headers);
    const loseAnswer = () =>
      database.query(`UPDATE tenancy.idempotency_keys SET answer = NULL, claimed_until = '-infinity'`);
    // The first fails, so the next has another id for what it makes.
    jest.spyOn(app.app.get(ApiKeys), 'create').mockRejectedValueOnce(new Error('lost'));
    await expect(attempt()).resolves.toMatchObject({ status: 500 });
    const texts: string[] = [];
    for (let count = 1; count <= 3; count++) {
      const { status, body: made } = await attempt();
      expect(status).toBe(201);
      texts.push(made.apiKey.key);
      await loseAnswer();
    }
    await expect(app.admin('GET /admin/tenants/tried-often/keys')).resolves.toMatchObject({
      body: { data: [{ name: 'first key' }] },
    });
    const statuses = [];
    for (const text of texts) statuses.push((await withKey(text, 'GET /me')).status);
    // A text that nobody has heard of ends with the next.
    expect(statuses).toEqual([401, 401, 200]);
  });

  it('come with a new tenant, or there is none', async () => {
    const seen: unknown[] = [];
    jest.spyOn(app.app.get(ApiKeys), 'create').mockImplementationOnce(async () => {
      seen.push(await app.admin('GET /admin/tenants/half-made'));
      throw new ApiKeyLimitError(0);
    });
    await expect(
      app.admin('POST /admin/tenants', { slug: 'half-made', apiKey: true }),
    ).resolves.toMatchObject({ status: 409 });
    seen.push(await app.admin('GET /admin/tenants/half-made'));
    expect(seen).toEqual([1, 2].map(() => expect.objectContaining({ status: 404 })));
  });
});
