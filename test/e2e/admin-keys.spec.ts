import { Injectable } from '@nestjs/common';
import { InMemoryTenantStore, TenancyModule, type TenantStore } from '../../lib';
import { type MasterKey, TenancyAdminModule, type TenancyAdminOptions } from '../../lib/admin';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { rawRequest } from '../support/raw-request';
import { ANY_ADAPTER } from '../support/sample-app';
import { startTestApp, type TestApp } from '../support/test-app';

const key = (letter: string) => letter.repeat(32);
const OPS: MasterKey = { name: 'ops', key: key('o') };
const CI: MasterKey = { name: 'ci', key: key('c') };

describe.each(ANY_ADAPTER)('The master keys of an application on %s', (_platform, adapter) => {
  let database: TestDatabase;
  let running: TestApp | undefined;
  let count = 0;

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterEach(async () => {
    await running?.close();
    running = undefined;
  });
  afterAll(() => database?.drop());

  async function start(options: TenancyAdminOptions, store?: TenantStore) {
    running = await startTestApp(
      {
        imports: [
          TenancyModule.forRoot(notesOptions(database, { store })),
          TenancyAdminModule.forRootAsync({ useFactory: () => Promise.resolve(options) }),
        ],
      },
      { adapter: adapter() },
    );
    return running;
  }

  function call(masterKey: string, line: string, body?: object, headers: Record<string, string> = {}) {
    const [method, path] = line.split(' ');
    return rawRequest(running!.url, path, {
      method,
      headers: {
        'x-master-key': masterKey,
        ...(body && { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body && JSON.stringify(body),
    });
  }
  const list = async (masterKey: string) => (await call(masterKey, 'GET /admin/tenants?limit=1')).status;

  it('may do what their scopes say, and each use is recorded, refused or not', async () => {
    const reader = { name: 'reader', key: key('r'), scopes: ['tenants:read'] };
    const keeper = { name: 'keeper', key: key('k'), scopes: ['tenants:*'] };
    await start({ masterKeys: [reader, keeper, OPS] });
    const slug = `shop-${++count}`;
    await expect(call(reader.key, 'POST /admin/tenants', { slug })).resolves.toMatchObject({
      status: 403,
      body: { code: 'SCOPE_MISSING', message: expect.stringContaining('"tenants:write"') },
    });
    await expect(call(keeper.key, 'POST /admin/tenants', { slug })).resolves.toMatchObject({ status: 201 });
    await expect(call(reader.key, `GET /admin/tenants/${slug}?`)).resolves.toMatchObject({ status: 200 });
    await expect(call(reader.key, `DELETE /admin/tenants/${slug}?reason=secret`)).resolves.toMatchObject({
      status: 403,
    });
    await expect(call(OPS.key, `POST /admin/tenants/${slug}/suspend`)).resolves.toMatchObject({
      status: 200,
    });
    await call(key('x'), 'GET /admin/tenants');
    const uses = await database.query(
      `SELECT name, method, path, scope, granted, ip IS NOT NULL AS "hasIp" FROM tenancy.master_key_uses
       WHERE name IN ('reader', 'keeper') OR path LIKE $1 ORDER BY id`,
      [`/admin/tenants/${slug}%`],
    );
    const use = (name: string, method: string, path: string, scope: string, granted = true) => ({
      ...{ name, method, path: `/admin/tenants${path}`, scope, granted, hasIp: true },
    });
    expect(uses).toEqual([
      use('reader', 'POST', '', 'tenants:write', false),
      use('keeper', 'POST', '', 'tenants:write'),
      use('reader', 'GET', `/${slug}`, 'tenants:read'),
      use('reader', 'DELETE', `/${slug}`, 'tenants:write', false),
      use('ops', 'POST', `/${slug}/suspend`, 'tenants:write'),
    ]);
  });

  it('with scopes that are none fail the start', async () => {
    for (const scopes of [['tenants'], 'tenants:read', ['*']])
      await expect(start({ masterKeys: [{ ...OPS, scopes: scopes as string[] }] })).rejects.toMatchObject({
        code: 'MASTER_KEY_MISSING',
      });
  });

  it('are each enough for every call, and are told apart in the record', async () => {
    await start({ masterKeys: [OPS, CI] });
    const slug = `shop-${++count}`;
    await expect(call(CI.key, 'POST /admin/tenants', { slug })).resolves.toMatchObject({ status: 201 });
    await expect(call(OPS.key, `POST /admin/tenants/${slug}/suspend`)).resolves.toMatchObject({
      status: 200,
    });
    const { body } = await call(OPS.key, `GET /admin/tenants/${slug}/audit`);
    expect(body).toMatchObject({ data: [{ actor: 'ops' }, { actor: 'ci' }] });
    await expect(list(`${OPS.key}, ${CI.key}`)).resolves.toBe(401);
    await expect(list(key('x'))).resolves.toBe(401);
  });

  it('have their Idempotency-Keys each for itself, which outlive the rotation of a key', async () => {
    let keys = [OPS, CI];
    await start({ masterKeys: () => keys, masterKeysTtlMs: 0 });
    const idempotent = { 'idempotency-key': `key-${++count}` };
    const [one, two] = [{ slug: `shop-${++count}` }, { slug: `shop-${++count}` }];
    const first = await call(OPS.key, 'POST /admin/tenants', one, idempotent);
    await expect(call(CI.key, 'POST /admin/tenants', two, idempotent)).resolves.toMatchObject({
      status: 201,
    });
    keys = [{ name: 'ops', key: key('n') }, CI];
    await expect(call(key('n'), 'POST /admin/tenants', one, idempotent)).resolves.toEqual(first);
  });

  it('are rotated without a restart', async () => {
    let keys = [OPS];
    await start({ masterKeys: () => Promise.resolve(keys), masterKeysTtlMs: 0 });
    await expect(list(OPS.key)).resolves.toBe(200);
    keys = [OPS, CI];
    await expect(list(CI.key)).resolves.toBe(200);
    await expect(list(OPS.key)).resolves.toBe(200);
    keys = [CI];
    await expect(list(OPS.key)).resolves.toBe(401);
    await expect(list(CI.key)).resolves.toBe(200);
  });

  it('hold on while their source is down', async () => {
    let isDown = false;
    const masterKeys = () => (isDown ? Promise.reject(new Error('vault is sealed')) : [OPS]);
    const { log } = await start({ masterKeys, masterKeysTtlMs: 0 });
    isDown = true;
    await expect(list(OPS.key)).resolves.toBe(200);
    await expect(list(CI.key)).resolves.toBe(401);
    expect(log.errors.join()).toContain('The function masterKeys failed');
    expect(log.errors.join()).not.toContain(OPS.key);
  });

  it.each<[string, TenancyAdminOptions]>([
    ['no key', {}],
    ['an empty list', { masterKeys: [] }],
    ['a function that gives none', { masterKeys: () => [] }],
    ['two of one name', { masterKeys: [OPS, { ...CI, name: 'ops' }] }],
    ['a short one', { masterKeys: [OPS, { name: 'ci', key: 'short' }] }],
  ])('that are no good stop the start: %s', async (_case, options) => {
    await expect(start(options)).rejects.toMatchObject({ code: 'MASTER_KEY_MISSING' });
  });

  it('work with a store of your own, and its record', async () => {
    await start({ masterKeys: [OPS] }, new InMemoryTenantStore());
    const idempotent = { 'idempotency-key': `key-${++count}` };
    const tenant = { slug: 'in-memory' };
    const first = await call(OPS.key, 'POST /admin/tenants', tenant, idempotent);
    expect(first.status).toBe(201);
    await expect(call(OPS.key, 'POST /admin/tenants', tenant, idempotent)).resolves.toEqual(first);
    await call(OPS.key, 'POST /admin/tenants/in-memory/suspend', { reason: 'unpaid' });
    await expect(call(OPS.key, 'GET /admin/tenants/in-memory/audit')).resolves.toMatchObject({
      status: 200,
      body: { data: [{ action: 'suspend', actor: 'ops', reason: 'unpaid' }, { action: 'create' }] },
    });
  });

  it('get 409 when a tenant changes faster than a change can be made, and may try again with the same key', async () => {
    class Busy extends InMemoryTenantStore {
      updates = 0;
      isBusy = true;
      override async update(...given: Parameters<InMemoryTenantStore['update']>) {
        this.updates += 1;
        return this.isBusy ? undefined : super.update(...given);
      }
    }
    const store = new Busy();
    await start({ masterKeys: [OPS] }, store);
    store.isBusy = false;
    await call(OPS.key, 'POST /admin/tenants', { slug: 'busy' });
    store.isBusy = true;
    store.updates = 0;
    const idempotent = { 'idempotency-key': `key-${++count}` };
    const suspend = () => call(OPS.key, 'POST /admin/tenants/busy/suspend', {}, idempotent);
    await expect(suspend()).resolves.toMatchObject({ status: 409, body: { code: 'TENANT_CONTENDED' } });
    expect(store.updates).toBe(100);
    store.isBusy = false;
    await expect(suspend()).resolves.toMatchObject({ status: 200, body: { status: 'suspended' } });
  });

  it('get 501 for the record of a store that keeps none, and all else works', async () => {
    @Injectable()
    class Forgetful extends InMemoryTenantStore {
      override listAudit = undefined as never;
    }
    await start({ masterKeys: [OPS] }, new Forgetful());
    await expect(call(OPS.key, 'POST /admin/tenants', { slug: 'forgotten' })).resolves.toMatchObject({
      status: 201,
    });
    await expect(call(OPS.key, 'GET /admin/tenants/forgotten/audit')).resolves.toMatchObject({
      status: 501,
      body: { code: 'AUDIT_NOT_KEPT' },
    });
  });
});
