import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { fromHeader, type Tenant, TenancyModule, TenantLifecycle } from '../../lib';
import { ApiKeys, fromApiKey, TenancyAccessModule } from '../../lib/access';
import { TenancyAdminModule } from '../../lib/admin';
import { TenancyEventsModule } from '../../lib/events';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { MASTER_KEY } from '../support/sample-app';
import { startTestApp, type TestApp } from '../support/test-app';

interface Listed {
  readonly data: {
    type: string;
    tenantId: string | null;
    sequence: string;
    actor: { type: string };
    data: { n?: number };
  }[];
  readonly nextCursor: string | null;
  readonly followCursor: string | null;
}

describe.each([
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
])('The trail over HTTP on %s', (_platform, adapter) => {
  let database: TestDatabase;
  let test: TestApp;
  let acme: Tenant;
  let globex: Tenant;
  const keys: Record<string, string> = {};

  beforeAll(async () => {
    database = await createTestDatabase();
    test = await startTestApp(
      {
        imports: [
          TenancyModule.forRoot(
            notesOptions(database, { resolvers: [fromHeader('x-tenant-id'), fromApiKey()] }),
          ),
          TenancyAccessModule.forRoot(),
          TenancyAdminModule.forRoot({
            masterKeys: [
              { name: 'all', key: MASTER_KEY },
              { name: 'tenants', key: 'x'.repeat(40), scopes: ['tenants:*'] },
              { name: 'events', key: 'y'.repeat(40), scopes: ['events:read'] },
            ],
          }),
          TenancyEventsModule.forRoot({ routes: true }),
        ],
      },
      { adapter: adapter() },
    );
    acme = await test.create({ slug: 'acme' });
    globex = await test.create({ slug: 'globex' });
    for (const [name, scopes] of [
      ['reader', ['events:read']],
      ['other', ['orders:read']],
    ] as const)
      keys[name] = (await test.app.get(ApiKeys).create(acme.id, { name, scopes })).key!;
    await record(acme.id, 'order.placed', 120);
    await record(acme.id, 'order.shipped', 1, 'api-key', 'k:1');
    await record(globex.id, 'order.placed', 3);
    await record(null, 'fleet.migrated', 1);
  });
  afterAll(async () => {
    await test?.close();
    await database?.drop();
  });

  const record = (
    tenantId: string | null,
    type: string,
    count = 1,
    actorType = 'system',
    actor: string | null = null,
  ) =>
    database.query(
      `INSERT INTO tenancy.tenant_event_outbox (id, tenant_id, type, actor_type, actor_id, data)
       SELECT gen_random_uuid(), $1, $2, $4, $5, json_build_object('n', n) FROM generate_series(1, $3::int) n`,
      [tenantId, type, count, actorType, actor],
    );

  async function call(path: string, headers: Record<string, string>) {
    const answer = await fetch(new URL(path, test.url), { headers });
    const text = await answer.text();
    return { status: answer.status, text, type: answer.headers.get('content-type'), body: tryJson(text) };
  }
  const tryJson = (text: string): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      return undefined;
    }
  };
  const admin = (query = '', key = MASTER_KEY) => call(`/admin/events${query}`, { 'x-master-key': key });
  const tenant = (query = '', key = 'reader') => call(`/tenant/events${query}`, { 'x-api-key': keys[key] });
  const list = async (query: string) => (await admin(query)).body as Listed;

  it('shows a tenant its own events, the latest first, and nobody’s else', async () => {
    const { status, body } = await tenant('?limit=100');
    expect(status).toBe(200);
    const { data, nextCursor } = body as Listed;
    expect(data).toHaveLength(100);
    expect(new Set(data.map(({ tenantId }) => tenantId))).toEqual(new Set([acme.id]));
    expect(data[0].type).toBe('order.shipped');
    const rest = (await tenant(`?limit=100&cursor=${nextCursor}`)).body as Listed;
    expect(rest.nextCursor).toBeNull();
    const sequences = [...data, ...rest.data].map(({ sequence }) => Number(sequence));
    expect(sequences).toEqual(sequences.map((_, index) => sequences.length - index));
    const { data: ofGlobex } = (await tenant(`?type=order.*&cursor=${nextCursor}&tenant=globex`))
      .body as Listed;
    expect(ofGlobex).toBeUndefined();
  });

  it('wants the scope events:read of a key, and of a master key', async () => {
    expect((await tenant('', 'other')).body).toMatchObject({ statusCode: 403, code: 'SCOPE_MISSING' });
    expect((await call('/tenant/events', { 'x-tenant-id': 'acme' })).status).toBe(401);
    expect((await admin('', 'x'.repeat(40))).body).toMatchObject({ statusCode: 403, code: 'SCOPE_MISSING' });
    expect((await admin('', 'y'.repeat(40))).status).toBe(200);
    expect((await admin('', 'wrong')).status).toBe(401);
  });

  it('filters by type, actor, tenant and time', async () => {
    const count = async (query: string) => (await list(`?limit=100&${query}`)).data.length;
    expect(await count('type=order.shipped')).toBe(1);
    expect(await count('type=order.shipped,fleet.*')).toBe(2);
    expect(await count('actor=api-key:k:1')).toBe(1);
    expect(await count('actor=api-key:k')).toBe(0);
    expect(await count('tenant=globex&type=order.*')).toBe(3);
    expect(await count(`tenant=${globex.id.toUpperCase()}&type=order.*`)).toBe(3);
    expect(await count('tenant=none')).toBe(1);
    expect(await count('from=2999-01-01')).toBe(0);
    expect(await count('to=2999-01-01T00:00:00%2B02:00&type=fleet.*')).toBe(1);
    expect((await admin('?tenant=nobody')).body).toMatchObject({ code: 'TENANT_NOT_FOUND' });
  });

  it('is followed by a cursor that passes over nothing, also what is committed late', async () => {
    let cursor: string | null = null;
    const seen: number[] = [];
    await record(acme.id, 'cursor.tested');
    for (;;) {
      const page: Listed = await list(
        `?order=asc&type=cursor.*${cursor === null ? '' : `&cursor=${cursor}`}`,
      );
      cursor = page.followCursor;
      seen.push(...page.data.map(({ data }) => data.n!));
      if (page.data.length === 0) break;
    }
    expect(seen).toEqual([1]);
    await record(globex.id, 'cursor.tested', 2);
    const later = await list(`?order=asc&type=cursor.*&cursor=${cursor}`);
    expect(later.data.map(({ data }) => data.n)).toEqual([1, 2]);
    expect((await list(`?order=asc&type=cursor.*&cursor=${later.followCursor}`)).followCursor).toBe(
      later.followCursor,
    );
  });

  it('exports JSON lines, all of them and in order', async () => {
    const { status, text, type } = await tenant('/export?type=order.*');
    expect({ status, type }).toEqual({ status: 200, type: 'application/x-ndjson' });
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Listed['data'][number]);
    expect(lines.map(({ data }) => data.n)).toEqual([
      ...Array.from({ length: 120 }, (_, index) => index + 1),
      1,
    ]);
    expect((await admin('/export?tenant=globex&type=order.*')).text.trimEnd().split('\n')).toHaveLength(3);
    expect((await admin('/export?type=no.such')).text).toBe('');
    expect((await call('/admin/events/export', {})).status).toBe(401);
  });

  const HOSTILE = [
    ...[
      'limit=0',
      'limit=101',
      'limit=1e1',
      'order=up',
      'cursor=',
      'cursor=%00',
      'cursor=LTE',
      'cursor=MQ==',
      'type=',
    ],
    ...[
      `cursor=${Buffer.from('9'.repeat(400)).toString('base64url')}`,
      'cursor=a&cursor=b',
      'type=order.*&type=x.y',
    ],
    ...[
      'type=Order',
      'type=%25',
      'type=order%00',
      'type=a..b',
      'type=a,,b',
      `type=${'a,'.repeat(60)}a`,
      `type=${'a'.repeat(3_000)}`,
    ],
    ...['actor=', 'actor=API', 'actor=api-key:%00', `actor=a:${'x'.repeat(301)}`, 'actor=:1', "actor=';DROP"],
    ...['from=yesterday', 'from=2026-13-45', 'to=99999-01-01', 'to=%27', 'since=1', '__proto__=1'],
  ];

  it.each(HOSTILE)('answers %s with 400, and says which field', async (query) => {
    for (const { status, body } of [await admin(`?${query}`), await tenant(`?${query}`)]) {
      expect({ status, body }).toMatchObject({ status: 400, body: { code: 'VALIDATION_FAILED' } });
      expect((body as { errors: unknown[] }).errors.length).toBeGreaterThan(0);
    }
  });

  it('keeps the events of a purged tenant, by its id', async () => {
    const gone = await test.create({ slug: 'gone' });
    await test.app.get(TenantLifecycle).delete(gone.id);
    const purged = await fetch(new URL('/admin/tenants/gone?purge=true', test.url), {
      method: 'DELETE',
      headers: { 'x-master-key': MASTER_KEY },
    });
    expect(purged.status).toBe(204);
    const types = (await list(`?tenant=${gone.id}&order=asc`)).data.map(({ type }) => type);
    expect(types).toEqual(['tenant.created', 'tenant.deleted', 'tenant.purged']);
    expect((await admin('?tenant=gone')).status).toBe(404);
  });
});
