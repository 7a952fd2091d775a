import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { getDataSourceToken } from '@nestjs/typeorm';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { DataSource } from 'typeorm';
import { fromHeader, TenancyModule, type Tenant, TenantLifecycle, TenantPurge } from '../../lib';
import { ApiKeys, fromApiKey, TenancyAccessModule } from '../../lib/access';
import { TenancyAdminModule } from '../../lib/admin';
import { checkOptions } from '../../lib/common/options/check-options';
import { TenancyEventsModule } from '../../lib/events';
import { EventTrail } from '../../lib/registry/events/event-trail';
import { REGISTRY_DATA_SOURCE } from '../../lib/registry/registry';
import {
  TenancyWebhooksModule,
  verifyWebhook,
  WebhookDeliveries,
  WebhookEndpoints,
  type WebhookHeaders,
  WebhookSecrets,
} from '../../lib/webhooks';
import { InvalidWebhooksOptionsError } from '../../lib/webhooks/webhooks.errors';
import { CheckedWebhooksOptions } from '../../lib/webhooks/webhooks.options';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { LyingDns } from '../support/lying-dns';
import { notesOptions } from '../support/notes';
import { CERTIFICATE, CERTIFICATE_KEY } from '../support/receiver-certificate';
import { MASTER_KEY } from '../support/sample-app';
import { startTestApp, type TestApp } from '../support/test-app';

const READER_KEY = 'r'.repeat(32);
const [oldKey, newKey] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];

const dns = new LyingDns();
let database: TestDatabase;
let app: TestApp;
let acme: Tenant;
let keys: Record<'writer' | 'reader' | 'other', string>;
let url: string;
/** What the receiver got. */
const got: { headers: WebhookHeaders; body: string }[] = [];
const receiver = createServer({ key: CERTIFICATE_KEY, cert: CERTIFICATE }, (request, response) => {
  let body = '';
  request.on('data', (chunk: Buffer) => (body += chunk.toString()));
  request.on('end', () => {
    response.writeHead(204).end();
    got.push({ headers: request.headers, body });
    receiver.emit('webhook');
  });
});

beforeAll(async () => {
  database = await createTestDatabase();
  await once(receiver.listen(0, '127.0.0.1'), 'listening');
  const { port } = receiver.address() as AddressInfo;
  url = `https://hooks.example.com:${port}/in`;
  dns.says('hooks.example.com', ['127.0.0.1']);
  app = await startTestApp({
    imports: [
      TenancyModule.forRoot(notesOptions(database, { resolvers: [fromHeader('x-tenant-id'), fromApiKey()] })),
      TenancyAccessModule.forRoot(),
      TenancyAdminModule.forRoot({
        masterKeys: [
          { name: 'ops', key: MASTER_KEY },
          { name: 'reader', key: READER_KEY, scopes: ['webhooks:read'] },
        ],
        webhooks: true,
      }),
      TenancyEventsModule.forRoot(),
      TenancyWebhooksModule.forRoot({
        routes: true,
        encryptionKeys: { old: oldKey },
        maxEndpointsPerTenant: 5,
        ports: [443, port],
        allowedAddresses: ['127.0.0.1'],
        dnsServers: [await dns.start()],
        certificateAuthorities: [CERTIFICATE],
      }),
    ],
  });
  acme = await app.create({ slug: 'acme' });
  const globex = await app.create({ slug: 'globex' });
  const keyOf = async (tenant: Tenant, ...scopes: string[]) =>
    (await app.app.get(ApiKeys).create(tenant.id, { name: 'k', scopes })).key;
  keys = {
    writer: await keyOf(acme, 'webhooks:*'),
    reader: await keyOf(acme, 'webhooks:read'),
    other: await keyOf(globex, 'webhooks:*'),
  };
});
afterEach(() => database.query('DELETE FROM tenancy.webhook_endpoints'));
afterAll(async () => {
  await app?.close();
  receiver.closeAllConnections();
  receiver.close();
  await dns.stop();
  await database?.drop();
});

interface Answer {
  readonly status: number;
  // What a server says is anybody's guess until a test has looked at it.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
  readonly headers: Headers;
}

async function send(line: string, headers: Record<string, string>, body?: unknown): Promise<Answer> {
  const [method, path] = line.split(' ');
  const answer = await fetch(app.url + path, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, body: text === '' ? '' : JSON.parse(text), headers: answer.headers };
}
const call = (line: string, body?: unknown, headers: Record<string, string> = {}) =>
  send(line, { 'x-api-key': keys.writer, ...headers }, body);
const admin = (line: string, body?: unknown, key = MASTER_KEY) => send(line, { 'x-master-key': key }, body);
const make = async (input: object = {}) => (await call('POST /tenant/webhooks', { url, ...input })).body;

/** Sends a test event to an endpoint, and returns what its receiver got. */
async function receive(endpointId: string) {
  const arrival = once(receiver, 'webhook');
  await app.app.get(WebhookDeliveries).test(acme.id, endpointId);
  await arrival;
  return got.at(-1)!;
}

describe('an endpoint', () => {
  it('is made with a secret that is shown once, and sent to with its signature', async () => {
    const input = { url, types: ['order.*', 'tenant.updated', 'order.*'], description: 'the shop' };
    const { status, body, headers } = await call('POST /tenant/webhooks', input);
    expect({ status, body }).toEqual({
      status: 201,
      body: {
        ...{ id: expect.any(String), tenantId: acme.id, url, types: ['order.*', 'tenant.updated'] },
        ...{ description: 'the shop', status: 'enabled', disabledReason: null, firstFailedAt: null },
        ...{ oldSecretExpiresAt: null, secret: expect.stringMatching(/^whsec_/) },
        ...{ createdAt: expect.any(String), updatedAt: expect.any(String) },
      },
    });
    const { secret, ...shown } = body;
    const again = await call(`GET /tenant/webhooks/${body.id}`);
    expect(again).toMatchObject({ status: 200, body: shown });
    expect(again.body).not.toHaveProperty('secret');
    expect(again.headers.get('etag')).toBe(headers.get('etag'));
    const etag = { 'if-none-match': headers.get('etag')! };
    await expect(call(`GET /tenant/webhooks/${body.id}`, undefined, etag)).resolves.toMatchObject({
      status: 304,
    });
    const { headers: sent, body: text } = await receive(body.id);
    expect(verifyWebhook(sent, text, secret)).toMatchObject({ type: 'webhook.test' });
    const rows = await database.query<{ row: string }>(
      "SELECT s::text || encode(ciphertext, 'escape') AS row FROM tenancy.webhook_secrets s",
    );
    expect(rows.map(({ row }) => row).join()).not.toContain(secret.slice(6, 20));
  });

  it.each([
    ['at a private address', { url: 'https://10.0.0.1/' }, 'url'],
    ['without TLS', { url: 'http://hooks.example.com/' }, 'url'],
    ['with a login', { url: 'https://me:secret@hooks.example.com/' }, 'url'],
    ['at another port', { url: 'https://hooks.example.com:22/' }, 'url'],
    ['without a URL', {}, 'url'],
    ['for types that there cannot be', { url: 'https://a.example/', types: ['Order *'] }, 'types'],
    ['with a long description', { url: 'https://a.example/', description: 'a'.repeat(201) }, 'description'],
    ['with a field that is none', { url: 'https://a.example/', secret: 'whsec_mine' }, 'secret'],
  ])('is refused %s', async (_what, input, field) => {
    await expect(call('POST /tenant/webhooks', input)).resolves.toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED', errors: [{ field }] },
    });
  });

  it('is changed when it has the version that was read, and not otherwise', async () => {
    const { id } = await make();
    const { headers } = await call(`GET /tenant/webhooks/${id}`);
    const match = { 'if-match': headers.get('etag')! };
    const patch = { description: 'new', types: ['order.shipped'] };
    await expect(call(`PATCH /tenant/webhooks/${id}`, patch, match)).resolves.toMatchObject({
      status: 200,
      body: patch,
    });
    for (const line of [`PATCH /tenant/webhooks/${id}`, `POST /tenant/webhooks/${id}/rotate-secret`])
      await expect(call(line, {}, match)).resolves.toMatchObject({ status: 412 });
    await expect(call(`DELETE /tenant/webhooks/${id}`, undefined, match)).resolves.toMatchObject({
      status: 412,
    });
    await expect(call(`PATCH /tenant/webhooks/${id}`, { url: 'https://[::1]/' })).resolves.toMatchObject({
      status: 400,
    });
  });

  it('can be disabled and enabled, and is sent to again at once', async () => {
    const { id } = await make();
    await expect(call(`PATCH /tenant/webhooks/${id}`, { status: 'disabled' })).resolves.toMatchObject({
      body: { status: 'disabled', disabledReason: 'It was disabled on request.' },
    });
    await expect(app.app.get(WebhookDeliveries).test(acme.id, id)).rejects.toMatchObject({
      code: 'WEBHOOK_DISABLED',
    });
    await expect(call(`PATCH /tenant/webhooks/${id}`, { status: 'enabled' })).resolves.toMatchObject({
      body: { status: 'enabled', disabledReason: null },
    });
    await receive(id);
  });

  it('is gone with its secrets and deliveries when it is deleted', async () => {
    const { id } = await make();
    await receive(id);
    await expect(call(`DELETE /tenant/webhooks/${id}`)).resolves.toMatchObject({ status: 204, body: '' });
    await expect(call(`GET /tenant/webhooks/${id}`)).resolves.toMatchObject({
      status: 404,
      body: { code: 'WEBHOOK_ENDPOINT_NOT_FOUND' },
    });
    const left = await database.query(
      'SELECT id FROM tenancy.webhook_secrets UNION SELECT id FROM tenancy.webhook_deliveries',
    );
    expect(left).toEqual([]);
  });

  it('leaves an event of each change, with who made it and no secret of the URL', async () => {
    const { id } = await make({ url: `${url}?token=hidden` });
    await call(`PATCH /tenant/webhooks/${id}`, { types: ['order.*'] });
    await call(`PATCH /tenant/webhooks/${id}`, { types: ['order.*'] });
    await call(`PATCH /tenant/webhooks/${id}`, { status: 'disabled' });
    await call(`POST /tenant/webhooks/${id}/rotate-secret`, { reason: 'a leak' });
    await admin(`DELETE /admin/tenants/acme/webhooks/${id}`);
    const trail = app.app.get(EventTrail, { strict: false });
    const events = await trail.list({ tenantId: acme.id, subject: id, limit: 10 });
    expect(events.map(({ type, actor: { type: by } }) => `${type} by ${by}`)).toEqual([
      'webhook.created by api-key',
      'webhook.updated by api-key',
      'webhook.disabled by api-key',
      'webhook.secret-rotated by api-key',
      'webhook.deleted by operator',
    ]);
    expect(events[3].data).toMatchObject({ host: new URL(url).host, reason: 'a leak' });
    expect(JSON.stringify(events)).not.toMatch(/hidden|whsec/);
  });

  it('is one of a bounded number for each tenant, listed in pages', async () => {
    const made: string[] = [];
    for (let count = 0; count < 5; count += 1) made.push((await make()).id);
    await expect(call('POST /tenant/webhooks', { url })).resolves.toMatchObject({
      status: 409,
      body: { code: 'WEBHOOK_ENDPOINT_LIMIT' },
    });
    const first = await call('GET /tenant/webhooks?limit=3');
    const rest = await call(`GET /tenant/webhooks?limit=3&cursor=${first.body.nextCursor}`);
    const listed = [...first.body.data, ...rest.body.data];
    expect(listed.map(({ id }: { id: string }) => id)).toEqual(made);
    expect(rest.body.nextCursor).toBeNull();
    expect(JSON.stringify(listed)).not.toContain('whsec');
  });
});

describe('the secret of an endpoint', () => {
  it('is replaced while the old one signs as well, or at once', async () => {
    const { id, secret } = await make();
    const rotate = async (body: object) =>
      (await call(`POST /tenant/webhooks/${id}/rotate-secret`, body)).body;
    const second = await rotate({});
    expect(second.oldSecretExpiresAt).not.toBeNull();
    const both = await receive(id);
    for (const known of [secret, second.secret])
      expect(verifyWebhook(both.headers, both.body, known)).toBeDefined();
    const third = await rotate({ overlapMs: 0 });
    const { headers, body } = await receive(id);
    expect(verifyWebhook(headers, body, third.secret)).toBeDefined();
    expect(() => verifyWebhook(headers, body, second.secret)).toThrow('not valid');
    await expect(call(`POST /tenant/webhooks/${id}/rotate-secret`, { overlapMs: -1 })).resolves.toMatchObject(
      { status: 400 },
    );
    for (let count = 0; count < 4; count += 1) await rotate({});
    await expect(app.app.get(WebhookSecrets).of(id)).resolves.toHaveLength(3);
  });

  it('is the same for a request that is sent again, and the database alone does not give it away', async () => {
    const key = { 'idempotency-key': 'make-1' };
    const first = await call('POST /tenant/webhooks', { url }, key);
    const again = await call('POST /tenant/webhooks', { url }, key);
    expect(again).toMatchObject({ status: 201, body: first.body });
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    await expect(call('POST /tenant/webhooks', { url, types: ['a'] }, key)).resolves.toMatchObject({
      status: 422,
    });
    await expect(call('GET /tenant/webhooks')).resolves.toMatchObject({
      body: { data: [{ id: first.body.id }] },
    });
    const other = (await make()).id;
    const [rotated, elsewhere] = [
      await call(`POST /tenant/webhooks/${first.body.id}/rotate-secret`, {}, key),
      await call(`POST /tenant/webhooks/${other}/rotate-secret`, {}, key),
    ];
    expect([rotated.body.id, elsewhere.body.id]).toEqual([first.body.id, other]);
    const kept = await database.query<{ answer: unknown }>('SELECT answer FROM tenancy.idempotency_keys');
    expect(JSON.stringify(kept)).not.toContain('whsec');
  });

  it('is encrypted again with another key, and a start without its key says which is missing', async () => {
    const { id } = await make();
    const registry = app.app.get<DataSource>(getDataSourceToken(REGISTRY_DATA_SOURCE), { strict: false });
    const secretsWith = (options: object) =>
      new WebhookSecrets(
        registry,
        checkOptions(CheckedWebhooksOptions, options, InvalidWebhooksOptionsError),
      );
    const known = await app.app.get(WebhookSecrets).of(id);
    const fresh = secretsWith({ encryptionKeys: { new: newKey } });
    await expect(fresh.onModuleInit()).rejects.toMatchObject({ code: 'WEBHOOK_KEYS_MISSING', ids: ['old'] });
    const both = secretsWith({ encryptionKeys: { old: oldKey, new: newKey }, encryptionKeyId: 'new' });
    await both.onModuleInit();
    await expect(both.reencrypt()).resolves.toBe(1);
    await expect(both.reencrypt()).resolves.toBe(0);
    await fresh.onModuleInit();
    await expect(fresh.of(id)).resolves.toEqual(known);
    await expect(app.app.get(WebhookSecrets).of(id)).rejects.toMatchObject({
      code: 'WEBHOOK_SECRET_UNREADABLE',
    });
  });
});

describe('deliveries', () => {
  const delivered = async (endpoint: string, count: number) => {
    for (;;) {
      const { body } = await call(`GET /tenant/webhooks/${endpoint}/deliveries?status=delivered`);
      if (body.data.length === count) return body.data as { id: string }[];
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };

  it('are tried, listed page by page, and sent again, once for each Idempotency-Key', async () => {
    const { id } = await make({ types: ['order.*'] });
    const once = { 'idempotency-key': 'a test' };
    const tested = await call(`POST /tenant/webhooks/${id}/test`, undefined, once);
    expect(tested).toMatchObject({
      status: 201,
      body: { endpointId: id, tenantId: acme.id, type: 'webhook.test', status: 'pending' },
    });
    const repeated = await call(`POST /tenant/webhooks/${id}/test`, undefined, once);
    expect(repeated.body).toEqual(tested.body);
    expect(repeated.headers.get('idempotent-replayed')).toBe('true');
    await delivered(id, 1);
    await call(`POST /tenant/webhooks/${id}/test`);
    const [latest, first] = await delivered(id, 2);
    expect(first.id).toBe(tested.body.id);
    const page = (await call(`GET /tenant/webhooks/${id}/deliveries?limit=1`)).body;
    expect(page.data).toMatchObject([{ id: latest.id }]);
    const rest = await call(`GET /tenant/webhooks/${id}/deliveries?limit=1&cursor=${page.nextCursor}`);
    expect(rest.body).toMatchObject({ data: [{ id: first.id }], nextCursor: null });
    const before = got.length;
    const again = (delivery: string) =>
      call(`POST /tenant/webhooks/${id}/deliveries/${delivery}/resend`, undefined, once);
    await expect(again(first.id)).resolves.toMatchObject({ status: 200, body: { id: first.id } });
    // The same key for another delivery is another call.
    await expect(again(latest.id)).resolves.toMatchObject({ status: 200, body: { id: latest.id } });
    await delivered(id, 2);
    const since = new Date(Date.now() - 60_000).toISOString();
    const resend = { since, status: 'delivered' };
    await expect(admin(`POST /admin/tenants/acme/webhooks/${id}/resend`, resend)).resolves.toMatchObject({
      ...{ status: 200, body: { count: 2 } },
    });
    await delivered(id, 2);
    while (got.length < before + 4) await new Promise((resolve) => setTimeout(resolve, 20));
    const { body } = await admin(`GET /admin/tenants/acme/webhooks/${id}/deliveries/${first.id}`);
    expect(body.attempts).toMatchObject([{ status: 204 }, { status: 204 }, { status: 204 }]);
    expect(
      new Set(got.slice(before).map(({ headers }) => (headers as Record<string, string>)['webhook-id'])),
    ).toEqual(new Set([first.id, latest.id]));
  });

  it('are read and sent again by whoever has the scope, and refused in words', async () => {
    const { id } = await make();
    const reader = { 'x-api-key': keys.reader };
    const path = `/tenant/webhooks/${id}`;
    await expect(send(`GET ${path}/deliveries`, reader)).resolves.toMatchObject({ status: 200 });
    for (const what of ['test', 'resend', `deliveries/${id}/resend`])
      await expect(send(`POST ${path}/${what}`, reader, {})).resolves.toMatchObject({ status: 403 });
    const other = { 'x-api-key': keys.other };
    await expect(send(`GET ${path}/deliveries`, other)).resolves.toMatchObject({ status: 404 });
    await expect(call(`GET ${path}/deliveries/${id}`)).resolves.toMatchObject({
      ...{ status: 404, body: { code: 'WEBHOOK_DELIVERY_NOT_FOUND' } },
    });
    for (const wrong of ['status=lost', 'cursor=x', 'limit=0'])
      await expect(call(`GET ${path}/deliveries?${wrong}`)).resolves.toMatchObject({ status: 400 });
    for (const wrong of [{}, { since: 'today' }, { since: '2026-02-99T00:00:00Z' }, { since: 5 }])
      await expect(call(`POST ${path}/resend`, wrong)).resolves.toMatchObject({ status: 400 });
    await call(`PATCH ${path}`, { status: 'disabled' });
    await expect(call(`POST ${path}/test`)).resolves.toMatchObject({
      ...{ status: 409, body: { code: 'WEBHOOK_DISABLED' } },
    });
  });
});

describe('the endpoints of a tenant', () => {
  it('are read and changed by whoever has the scope, and by no other tenant', async () => {
    const { id } = await make();
    const reader = { 'x-api-key': keys.reader };
    await expect(send(`GET /tenant/webhooks/${id}`, reader)).resolves.toMatchObject({ status: 200 });
    await expect(send('GET /tenant/webhooks', reader)).resolves.toMatchObject({ status: 200 });
    const forbidden = { status: 403, body: { code: 'SCOPE_MISSING' } };
    await expect(send('POST /tenant/webhooks', reader, { url })).resolves.toMatchObject(forbidden);
    for (const line of [`PATCH /tenant/webhooks/${id}`, `POST /tenant/webhooks/${id}/rotate-secret`])
      await expect(send(line, reader, {})).resolves.toMatchObject(forbidden);
    await expect(send(`DELETE /tenant/webhooks/${id}`, reader)).resolves.toMatchObject(forbidden);
    await expect(send('GET /tenant/webhooks', {})).resolves.toMatchObject({ status: 401 });
    const other = { 'x-api-key': keys.other };
    await expect(send('GET /tenant/webhooks', other)).resolves.toMatchObject({ body: { data: [] } });
    for (const line of [`GET /tenant/webhooks/${id}`, `DELETE /tenant/webhooks/${id}`])
      await expect(send(line, other)).resolves.toMatchObject({ status: 404 });
  });

  it('are the operator’s to see and change, whatever the state of the tenant, and go with its purge', async () => {
    const made = await admin('POST /admin/tenants/globex/webhooks', { url });
    expect(made).toMatchObject({ status: 201, body: { secret: expect.stringMatching(/^whsec_/) } });
    const path = `/admin/tenants/globex/webhooks/${made.body.id}`;
    await app.app.get(TenantLifecycle).suspend('globex');
    await expect(send('GET /tenant/webhooks', { 'x-api-key': keys.other })).resolves.toMatchObject({
      status: 403,
    });
    await expect(admin(`GET ${path}`, undefined, READER_KEY)).resolves.toMatchObject({ status: 200 });
    await expect(admin(`PATCH ${path}`, {}, READER_KEY)).resolves.toMatchObject({ status: 403 });
    await expect(admin(`PATCH ${path}`, { description: 'kept' })).resolves.toMatchObject({ status: 200 });
    await expect(admin(`GET /admin/tenants/acme/webhooks/${made.body.id}`)).resolves.toMatchObject({
      status: 404,
    });
    await app.app.get(TenantLifecycle).delete('globex');
    await app.app.get(TenantPurge).purge('globex');
    await expect(database.query('SELECT id FROM tenancy.webhook_endpoints')).resolves.toEqual([]);
  });

  it('are described in an OpenAPI document, field by field', async () => {
    const document = SwaggerModule.createDocument(app.app, new DocumentBuilder().build());
    const calls = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method} ${path}`),
    );
    for (const base of ['/tenant/webhooks', '/admin/tenants/{tenant}/webhooks'])
      expect(calls.filter((each) => each.includes(` ${base}`)).sort()).toEqual(
        [
          ...[
            `delete ${base}/{endpoint}`,
            `get ${base}`,
            `get ${base}/{endpoint}`,
            `patch ${base}/{endpoint}`,
          ],
          ...[`post ${base}`, `post ${base}/{endpoint}/rotate-secret`],
          ...[`get ${base}/{endpoint}/deliveries`, `get ${base}/{endpoint}/deliveries/{delivery}`],
          ...[`post ${base}/{endpoint}/resend`, `post ${base}/{endpoint}/test`],
          `post ${base}/{endpoint}/deliveries/{delivery}/resend`,
        ].sort(),
      );
    const { ShownWebhookEndpoint: schema } = document.components!.schemas as Record<
      string,
      { properties: object }
    >;
    expect(Object.keys(schema.properties).sort()).toEqual(Object.keys(await make()).sort());
  });
});

it('are made from code as well, with the same checks', async () => {
  const endpoints = app.app.get(WebhookEndpoints);
  await expect(endpoints.create(acme.id, { url })).resolves.toMatchObject({ url, version: 1 });
  await expect(endpoints.create(acme.id, { url: 'https://127.2/' })).rejects.toMatchObject({
    code: 'VALIDATION_FAILED',
  });
  await expect(endpoints.get(acme.id, 'nonsense')).rejects.toMatchObject({
    code: 'WEBHOOK_ENDPOINT_NOT_FOUND',
  });
});
