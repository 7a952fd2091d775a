import { Controller, Get } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import {
  TenancyModule,
  type TenancyOptions,
  type Tenant,
  TenantContext,
  TenantFree,
  TenantPurge,
  TenantLifecycle,
} from '../../lib';
import { TenancyAdminModule } from '../../lib/admin';
import {
  defineSettings,
  feature,
  RequireFeature,
  setting,
  type Settings,
  TenancySettingsModule,
  TenantSettings,
} from '../../lib/settings';
import { felt, hearing, shortest } from '../support/change-feed';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { ANY_ADAPTER, MASTER_KEY } from '../support/sample-app';
import { startTestApp, type TestApp } from '../support/test-app';
import { tapWire, type WireTap } from '../support/wire-tap';

const SETTINGS = defineSettings({
  theme: setting({
    default: 'light',
    validate: (theme) => ['light', 'dark'].includes(theme) || 'must be light or dark',
    tenant: 'write',
  }),
  seats: setting({ default: 5, validate: (seats) => Number.isInteger(seats) && seats > 0, tenant: 'read' }),
  discount: setting<number | null>({ default: null }),
  limits: setting({ default: { perDay: 10 } }),
  exports: feature({ tenant: 'read' }),
  reports: feature({ default: true }),
});

const READER = 'r'.repeat(32);
const MASTER_KEYS = [
  { name: 'operator', key: MASTER_KEY },
  { name: 'reader', key: READER, scopes: ['settings:read'] },
];

const handled = { count: 0 };

@Controller()
@RequireFeature('reports')
class ExportsController {
  @Get('reports')
  reports() {
    return {};
  }

  @Get('exports')
  @RequireFeature('exports')
  exports() {
    handled.count += 1;
    return { exported: true };
  }

  @TenantFree()
  @Get('free')
  free() {
    return {};
  }
}

interface Answer {
  readonly status: number;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
  readonly etag: string;
}

interface SettingsApp extends TestApp {
  readonly settings: TenantSettings<typeof SETTINGS>;
  admin(line: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
}

interface Changes {
  readonly adapter?: AbstractHttpAdapter;
  readonly tenancy?: Partial<TenancyOptions>;
  readonly settings?: Settings;
  readonly staleIfErrorMs?: number;
}

async function start(database: TestDatabase, changes: Changes = {}): Promise<SettingsApp> {
  const { adapter, tenancy, settings = SETTINGS, staleIfErrorMs = 60_000 } = changes;
  const app = await startTestApp(
    {
      imports: [
        TenancyModule.forRoot(notesOptions(database, { cache: { staleIfErrorMs }, ...tenancy })),
        TenancySettingsModule.forRoot({ settings, cache: { staleIfErrorMs } }),
        TenancyAdminModule.forRoot({ masterKeys: MASTER_KEYS, settings: true }),
      ],
      controllers: [ExportsController],
    },
    { adapter },
  );
  return {
    ...app,
    settings: app.app.get(TenantSettings),
    admin: async (line, body, headers = {}) => {
      const [method, path] = line.split(' ');
      const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
      const response = await fetch(`${app.url}/admin/tenants/${path}`, {
        method,
        headers: { 'x-master-key': MASTER_KEY, ...type, ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
      const text = await response.text();
      return {
        status: response.status,
        body: text === '' ? undefined : JSON.parse(text),
        etag: response.headers.get('etag') ?? '',
      };
    },
  };
}

describe.each(ANY_ADAPTER)('Settings on %s', (_platform, adapter) => {
  let database: TestDatabase;
  let app: SettingsApp;
  let acme: Tenant;
  let count = 0;

  beforeAll(async () => {
    database = await createTestDatabase();
    app = await start(database, { adapter: adapter() });
  });
  beforeEach(async () => {
    acme = await app.create({ slug: `acme-${(count += 1)}` });
  });
  afterAll(async () => {
    await app?.close();
    await database?.drop();
  });

  const of = (rest = '') => `${acme.slug}/settings${rest}`;
  const own = () => app.get('/tenant/settings', acme.slug);

  it('are the defaults until something is set', async () => {
    const { status, body } = await app.admin(`GET ${of()}`);
    expect(status).toBe(200);
    expect(body).toEqual({
      data: [
        { key: 'theme', value: 'light', isDefault: true, tenant: 'write' },
        { key: 'seats', value: 5, isDefault: true, tenant: 'read' },
        { key: 'discount', value: null, isDefault: true, tenant: null },
        { key: 'limits', value: { perDay: 10 }, isDefault: true, tenant: null },
        { key: 'exports', value: false, isDefault: true, tenant: 'read' },
        { key: 'reports', value: true, isDefault: true, tenant: null },
      ],
    });
  });

  it('are set, shown, and reset, for one tenant only', async () => {
    const other = await app.create({ slug: `globex-${count}` });
    const set = { key: 'theme', value: 'dark', isDefault: false, tenant: 'write' };
    await expect(app.admin(`PUT ${of('/theme')}`, { value: 'dark' })).resolves.toMatchObject({
      status: 200,
      body: set,
    });
    await expect(app.admin(`GET ${acme.id}/settings/theme`)).resolves.toMatchObject({
      status: 200,
      body: set,
    });
    await expect(app.settings.get('theme', acme)).resolves.toBe('dark');
    await expect(app.settings.get('theme', other)).resolves.toBe('light');
    await expect(app.admin(`DELETE ${of('/theme')}`)).resolves.toMatchObject({
      status: 200,
      body: { ...set, value: 'light', isDefault: true },
    });
    await expect(app.settings.get('theme', acme)).resolves.toBe('light');
  });

  it('are read for the tenant of the moment', async () => {
    await app.settings.set('seats', 7, { tenant: acme });
    const seats: number = await app.app.get(TenantContext).run(acme, () => app.settings.get('seats'));
    expect(seats).toBe(7);
    await expect(app.settings.get('seats')).rejects.toMatchObject({ code: 'TENANT_REQUIRED' });
  });

  it('are shown to the tenant as far as it may see them', async () => {
    await app.settings.set('seats', 7, { tenant: acme });
    await app.settings.set('discount', 20, { tenant: acme });
    await expect(own()).resolves.toEqual({ status: 200, body: { theme: 'light', seats: 7, exports: false } });
    await expect(app.get('/tenant/settings')).resolves.toMatchObject({
      status: 400,
      body: { code: 'TENANT_MISSING' },
    });
  });

  it('are changed by the tenant as far as it may', async () => {
    const by = { tenant: acme, by: 'tenant' } as const;
    await app.settings.set('theme', 'dark', by);
    await expect(own()).resolves.toMatchObject({ body: { theme: 'dark' } });
    await expect(app.settings.set('seats', 100, by)).rejects.toMatchObject({ code: 'SETTING_READ_ONLY' });
    await expect(app.settings.reset('seats', by)).rejects.toMatchObject({ code: 'SETTING_READ_ONLY' });
    await expect(app.settings.set('discount', 100, by)).rejects.toMatchObject({ code: 'SETTING_NOT_FOUND' });
  });

  it('are shared by all who read them, and changed by none of them', async () => {
    await app.settings.set('limits', { perDay: 3 }, { tenant: acme });
    for (const tenant of [acme, await app.create({ slug: `initech-${count}` })]) {
      const limits = await app.settings.get('limits', tenant);
      expect(() => Object.assign(limits, { perDay: 1_000 })).toThrow(TypeError);
    }
  });

  describe('refuse', () => {
    it.each([
      ['another type', 'seats', { value: '7' }, 'must be of the type number'],
      ['null for what is never null', 'theme', { value: null }, 'must be of the type string'],
      ['a list for an object', 'limits', { value: [1] }, 'must be of the type object'],
      ['what the declaration refuses in words', 'theme', { value: 'red' }, 'must be light or dark'],
      ['what it refuses without', 'seats', { value: 0.5 }, 'is not allowed'],
      [
        'a NUL',
        'discount',
        { value: 'a\0b' },
        'must not contain a NUL character: PostgreSQL cannot store it',
      ],
      [
        'a huge value',
        'discount',
        { value: 'x'.repeat(16_384) },
        'must not be larger than 16384 bytes as JSON (it has 16386)',
      ],
      ['no value', 'theme', {}, 'must be given'],
    ])('%s', async (_what, key, body, message) => {
      await expect(app.admin(`PUT ${of(`/${key}`)}`, body)).resolves.toMatchObject({
        status: 400,
        body: { code: 'VALIDATION_FAILED', errors: [{ field: 'value', message }] },
      });
      await expect(app.admin(`GET ${of(`/${key}`)}`)).resolves.toMatchObject({ body: { isDefault: true } });
    });

    it('unknown keys, whatever they are', async () => {
      for (const key of [
        'nothing',
        '__proto__',
        'constructor',
        'toString',
        'Theme',
        "the'me",
        '%00',
        'x'.repeat(65),
      ])
        for (const [method, body] of [['GET'], ['PUT', { value: 1 }], ['DELETE']] as const) {
          const { status, body: answer } = await app.admin(`${method} ${of(`/${key}`)}`, body);
          expect([key, status, answer.code]).toEqual([key, 404, 'SETTING_NOT_FOUND']);
        }
    });

    it('what the scopes of a master key do not allow', async () => {
      const headers = { 'x-master-key': READER };
      await expect(app.admin(`GET ${of('/theme')}`, undefined, headers)).resolves.toMatchObject({
        status: 200,
      });
      for (const [method, body] of [['PUT', { value: 'dark' }], ['DELETE']] as const)
        await expect(app.admin(`${method} ${of('/theme')}`, body, headers)).resolves.toMatchObject({
          status: 403,
          body: { code: 'SCOPE_MISSING' },
        });
    });

    it('fields that they do not know, and a bad master key', async () => {
      const line = `PUT ${of('/theme')}`;
      await expect(app.admin(line, { value: 'dark', force: true })).resolves.toMatchObject({ status: 400 });
      await expect(app.admin(line, '{ "value": "dark", "__proto__": {} }')).resolves.toMatchObject({
        status: 400,
      });
      await expect(app.admin(line, { value: 'dark' }, { 'x-master-key': 'wrong' })).resolves.toMatchObject({
        status: 401,
        body: { code: 'MASTER_KEY_INVALID' },
      });
      await expect(app.settings.get('theme', acme)).resolves.toBe('light');
    });

    it('tenants that there are not', async () => {
      for (const line of ['GET nobody/settings', 'GET nobody/settings/theme', 'DELETE nobody/settings/theme'])
        await expect(app.admin(line)).resolves.toMatchObject({
          status: 404,
          body: { code: 'TENANT_NOT_FOUND' },
        });
    });
  });

  it('take null where null is a value', async () => {
    await app.admin(`PUT ${of('/discount')}`, { value: 3 });
    await expect(app.admin(`PUT ${of('/discount')}`, { value: null })).resolves.toMatchObject({
      status: 200,
      body: { value: null, isDefault: false },
    });
  });

  it('show one ETag until something is set, and are changed only as they were seen', async () => {
    const line = `PUT ${of('/seats')}`;
    const { etag } = await app.admin(`GET ${of()}`);
    await expect(app.admin(`GET ${of('/theme')}`)).resolves.toMatchObject({ etag });
    await expect(app.admin(`GET ${of()}`, undefined, { 'if-none-match': etag })).resolves.toMatchObject({
      status: 304,
    });
    const changed = await app.admin(line, { value: 6 }, { 'if-match': etag });
    expect(changed).toMatchObject({ status: 200, body: { value: 6 } });
    expect(changed.etag).not.toBe(etag);
    for (const [again, body] of [[line, { value: 7 }], [`DELETE ${of('/seats')}`]] as const)
      await expect(app.admin(again, body, { 'if-match': etag })).resolves.toMatchObject({
        status: 412,
        body: { code: 'PRECONDITION_FAILED' },
      });
    await expect(app.admin(line, { value: 6 })).resolves.toMatchObject({ etag: changed.etag });
  });

  it('lose none of the changes that come at once', async () => {
    const keys = ['theme', 'seats', 'discount', 'exports'] as const;
    const values = ['dark', 9, 1, true];
    const answers = await Promise.all(
      keys.map((key, index) => app.admin(`PUT ${of(`/${key}`)}`, { value: values[index] })),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const { settings, version } = await app.settings.list({ tenant: acme });
    expect(settings.filter(({ isDefault }) => !isDefault).map(({ value }) => value)).toEqual(values);
    expect(version).toBe(4);
  });

  it('tell the record who changed them, but no values, and nothing when nothing changed', async () => {
    for (const value of ['dark', 'dark']) await app.admin(`PUT ${of('/theme')}`, { value });
    for (let times = 0; times < 2; times += 1) await app.admin(`DELETE ${of('/theme')}`);
    const { body } = await app.admin(`GET ${acme.slug}/audit`);
    expect(
      body.data
        .slice(0, 3)
        .map(({ action, actor, details }: Record<string, unknown>) => [action, actor, details]),
    ).toEqual([
      ['reset-setting', 'operator', { key: 'theme' }],
      ['set-setting', 'operator', { key: 'theme' }],
      ['create', null, expect.anything()],
    ]);
  });

  it('go with a tenant that is purged, and come for it no more', async () => {
    await app.settings.set('theme', 'dark', { tenant: acme });
    await app.app.get(TenantLifecycle).delete(acme.id);
    await app.app.get(TenantPurge).purge(acme.id);
    await expect(app.settings.set('theme', 'dark', { tenant: acme })).rejects.toMatchObject({
      code: 'TENANT_NOT_FOUND',
    });
    await expect(app.admin(`GET ${acme.id}/settings`)).resolves.toMatchObject({ status: 404 });
    await expect(
      database.query('SELECT 1 FROM tenancy.tenant_settings WHERE tenant_id = $1', [acme.id]),
    ).resolves.toEqual([]);
  });

  it('are the default, with a warning, where a newer declaration refuses what is set', async () => {
    await app.settings.set('theme', 'dark', { tenant: acme });
    await database.query(
      `UPDATE tenancy.tenant_settings SET settings = '{"theme":"sepia","__proto__":1,"gone":true,"seats":"many"}' WHERE tenant_id = $1`,
      [acme.id],
    );
    await felt(async () => (await own()).body.theme === 'light');
    await expect(own()).resolves.toMatchObject({ body: { theme: 'light', seats: 5 } });
    await expect(app.admin(`GET ${of('/theme')}`)).resolves.toMatchObject({
      body: { value: 'light', isDefault: true },
    });
    const warnings = app.log.warnings.filter((warning) => warning.includes(acme.id));
    expect(warnings).toHaveLength(2);
    expect(warnings.join()).toContain('must be light or dark');
    expect(warnings.join()).toContain('must be of the type number');
  });

  describe('A feature', () => {
    const exported = () => app.get('/exports', acme.slug);
    const off = (name: string) => ({
      status: 403,
      body: {
        statusCode: 403,
        code: 'FEATURE_OFF',
        message: `The feature "${name}" is not on for this tenant.`,
      },
    });

    it('that is off keeps the tenant out, before the handler, and lets it in when it is on', async () => {
      const before = handled.count;
      await expect(exported()).resolves.toEqual(off('exports'));
      expect(handled.count).toBe(before);
      await app.admin(`PUT ${of('/exports')}`, { value: true });
      await expect(exported()).resolves.toEqual({ status: 200, body: { exported: true } });
      await expect(exported()).resolves.toMatchObject({ status: 200 });
      await app.admin(`PUT ${of('/exports')}`, { value: false });
      await expect(exported()).resolves.toEqual(off('exports'));
    });

    it('of the class is needed besides that of the method', async () => {
      await app.settings.set('exports', true, { tenant: acme });
      await app.settings.set('reports', false, { tenant: acme });
      await expect(exported()).resolves.toEqual(off('reports'));
      await expect(app.get('/reports', acme.slug)).resolves.toEqual(off('reports'));
    });

    it('is nobody’s where there is no tenant', async () => {
      await expect(app.get('/free', acme.slug)).resolves.toEqual(off('reports'));
    });
  });
});

describe('Settings on several instances', () => {
  let database: TestDatabase;
  let wire: WireTap;

  beforeEach(async () => {
    database = await createTestDatabase();
    wire = await tapWire(database.url);
  });
  afterEach(async () => {
    await wire.close();
    await database.drop();
  });

  it('are felt on the other within a second, be it told of them or not', async () => {
    const here = await start(database);
    const there = await start(database, {
      tenancy: { database: { url: database.url, directUrl: wire.url, connectAttempts: 1 } },
    });
    try {
      const tenant = await here.create({ slug: 'acme' });
      const isThere = async (value: string) => (await there.settings.get('theme', tenant)) === value;
      const delayAfter = (strike: () => void) =>
        shortest(1_000, async () => {
          wire.restore();
          await here.settings.reset('theme', { tenant });
          await hearing(there);
          expect(await isThere('light')).toBe(true);
          strike();
          await here.settings.set('theme', 'dark', { tenant });
          return felt(() => isThere('dark'));
        });
      expect(await delayAfter(() => undefined)).toBeLessThanOrEqual(1_000);
      expect(await delayAfter(() => wire.cut())).toBeLessThanOrEqual(1_000);
    } finally {
      await here.close();
      await there.close();
    }
  });

  it('hold for the declared time while the registry is away; those nobody asked for are 503', async () => {
    const app = await start(database, {
      tenancy: { database: { url: wire.url, connectAttempts: 1 } },
      staleIfErrorMs: 3_000,
    });
    try {
      const [acme, globex] = [await app.create({ slug: 'acme' }), await app.create({ slug: 'globex' })];
      await app.settings.set('theme', 'dark', { tenant: acme });
      const theme = (tenant: Tenant) =>
        app.settings.get('theme', tenant).catch(({ code }: { code: string }) => code);
      // What is told of the change by now is told before it is read.
      await hearing(app);
      expect(await theme(acme)).toBe('dark');
      await hearing(app);
      wire.cut();
      expect(await theme(globex)).toBe('TENANCY_UNAVAILABLE');
      expect(await theme(acme)).toBe('dark');
      await expect(app.settings.set('theme', 'light', { tenant: acme })).rejects.toMatchObject({
        code: 'TENANCY_UNAVAILABLE',
      });
      expect(await felt(async () => (await theme(acme)) === 'TENANCY_UNAVAILABLE')).toBeLessThan(5_000);
      wire.restore();
      expect(await felt(async () => (await theme(acme)) === 'dark')).toBeLessThan(5_000);
    } finally {
      await app.close();
    }
  });

  it('fail the start when a route requires a feature that was not declared', async () => {
    const { exports: _exports, ...rest } = SETTINGS;
    await expect(
      start(database, { settings: { ...rest, reports: setting({ default: 1 }) } }),
    ).rejects.toMatchObject({
      code: 'SETTINGS_INVALID',
      problems: [
        {
          field: 'ExportsController',
          message: 'requires "reports", which is not declared with feature()',
        },
        {
          field: 'ExportsController.exports()',
          message: 'requires "exports", which is not declared with feature()',
        },
      ],
    });
  });
});
