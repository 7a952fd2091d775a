import { Controller, Get } from '@nestjs/common';
import { getDataSourceToken } from '@nestjs/typeorm';
import { Client } from 'pg';
import type { DataSource } from 'typeorm';
import {
  CurrentTenant,
  fromHeader,
  TenancyModule,
  type Tenant,
  TenantContext,
  TenantLookup,
} from '../../lib';
import { ApiKeys, fromApiKey, TenancyAccessModule } from '../../lib/access';
import { ApiKeyAuthentication } from '../../lib/access/api-key-authentication';
import { REGISTRY_DATA_SOURCE } from '../../lib/registry/registry';
import { defineSettings, setting, TenancySettingsModule, TenantSettings } from '../../lib/settings';
import { TenancyUsageModule, TenantUsage } from '../../lib/usage';
import { UsageRows } from '../../lib/usage/usage-rows';
import { hearing } from '../support/change-feed';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { rawRequest } from '../support/raw-request';
import { startTestApp, type TestApp } from '../support/test-app';

const SETTINGS = defineSettings({ theme: setting({ default: 'light', tenant: 'write' }) });
const LIMIT = 20;

@Controller('who')
class WhoController {
  @Get()
  who(@CurrentTenant('slug') slug: string) {
    return { slug };
  }
}

describe('However much one tenant orders of the registry', () => {
  let database: TestDatabase;
  let app: TestApp;
  let acme: Tenant;
  let globex: Tenant;
  let keys: Record<'acme' | 'globex', string>;
  /** Somebody who holds a lock for long. */
  let holder: Client;

  beforeAll(async () => {
    database = await createTestDatabase();
    app = await startTestApp({
      imports: [
        TenancyModule.forRoot(
          notesOptions(database, { resolvers: [fromApiKey(), fromHeader('x-tenant-id')] }),
        ),
        TenancyAccessModule.forRoot({}),
        TenancySettingsModule.forRoot({ settings: SETTINGS }),
        TenancyUsageModule.forRoot({
          plans: { all: { exports: { limit: LIMIT, per: 'month', hard: true } } },
          defaultPlan: 'all',
        }),
      ],
      controllers: [WhoController],
    });
    acme = await app.create({ slug: 'acme' });
    globex = await app.create({ slug: 'globex' });
    const keyOf = async ({ id }: Tenant) =>
      (await app.app.get(ApiKeys).create(id, { name: 'all', scopes: [] })).key;
    keys = { acme: await keyOf(acme), globex: await keyOf(globex) };
    holder = new Client(database.url);
    await holder.connect();
    await usage().reserve('exports', 1, acme);
  });
  afterEach(() => holder.query('ROLLBACK'));
  afterAll(async () => {
    await holder?.end();
    await app?.close();
    await database?.drop();
  });

  const usage = () => app.app.get(TenantUsage);
  const get = (path: string, slug: 'acme' | 'globex' = 'globex') =>
    rawRequest(app.url, path, { headers: { 'x-api-key': keys[slug] } });

  /** Everything that is remembered is forgotten: all is asked for as if for the first time. */
  async function expectOthersServed(): Promise<void> {
    app.app.get(TenantLookup).clear();
    app.app.get(ApiKeyAuthentication, { strict: false }).forget(globex.id);
    expect(await get('/who')).toMatchObject({ status: 200, body: { slug: 'globex' } });
    const initech = { id: '0198c5f0-0000-7000-8000-000000000000' };
    expect(await app.app.get<TenantSettings<typeof SETTINGS>>(TenantSettings).get('theme', initech)).toBe(
      'light',
    );
    await hearing(app);
  }

  async function untilBlocked(query: string): Promise<void> {
    const blocked = () =>
      database.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE $1`,
        [`%${query}%`],
      );
    while ((await blocked()).length === 0);
  }

  it('others’ look-ups and the change feed use none of the connections that it may take', async () => {
    const registry = app.app.get<DataSource>(getDataSourceToken(REGISTRY_DATA_SOURCE));
    const taken = [registry.createQueryRunner(), registry.createQueryRunner()];
    for (const queryRunner of taken) await queryRunner.connect();
    await expectOthersServed().finally(async () => {
      for (const queryRunner of taken) await queryRunner.release();
    });
  });

  it('8,000 reservations at once are a few statements, wait in bounds, and hold up no other tenant’s', async () => {
    const reserve = jest.spyOn(app.app.get(UsageRows, { strict: false }), 'reserve');
    await holder.query('BEGIN');
    await holder.query('SELECT FROM tenancy.usage_months WHERE tenant_id = $1 FOR UPDATE', [acme.id]);
    const answers: string[] = [];
    const all = Array.from({ length: 8_000 }, () =>
      usage()
        .reserve('exports', 1, acme)
        .then(
          () => answers.push('granted'),
          (error: { code: string }) => answers.push(error.code),
        ),
    );
    await untilBlocked('usage_months');
    // The lock is held all the while: who waits for acme would never come to an end.
    await expectOthersServed();
    await usage().reserve('exports', 1, globex);
    expect(answers.filter((answer) => answer === 'TENANT_BUSY')).toHaveLength(6_999);
    expect(answers).toHaveLength(6_999);
    await holder.query('COMMIT');
    await Promise.all(all);
    expect(answers.filter((answer) => answer === 'granted')).toHaveLength(LIMIT - 1);
    expect(answers.filter((answer) => answer === 'QUOTA_EXCEEDED')).toHaveLength(1_001 - (LIMIT - 1));
    expect(reserve.mock.calls.filter(([id]) => id === acme.id).length).toBeLessThan(30);
    reserve.mockRestore();
  });

  it('grants in the order of asking what fits, also when a larger one does not', async () => {
    const umbrella = await app.create({ slug: 'umbrella' });
    const outcome = (amount: number) =>
      usage()
        .reserve('exports', amount, umbrella)
        .then(
          () => amount,
          (error: { code: string }) => error.code,
        );
    // The first is under way by itself, and the others are gathered meanwhile.
    const no = 'QUOTA_EXCEEDED';
    expect(await Promise.all([1, 10, 30, 5, 10, 1, 8, 3, 1, 0].map(outcome))).toEqual([
      ...[1, 10, no, 5, no, 1, no, 3, no, 0],
    ]);
    const [row] = await database.query('SELECT total FROM tenancy.usage_months WHERE tenant_id = $1', [
      umbrella.id,
    ]);
    expect(row).toEqual({ total: String(LIMIT) });
  });

  it('its changes take turns with others’, and wait for one another only', async () => {
    const settings = app.app.get<TenantSettings<typeof SETTINGS>>(TenantSettings);
    const context = app.app.get(TenantContext);
    await settings.set('theme', 'dark', { tenant: acme });
    await holder.query('BEGIN');
    await holder.query('SELECT FROM tenancy.tenant_settings WHERE tenant_id = $1 FOR UPDATE', [acme.id]);
    const set = (tenant: Tenant, theme: string) => context.run(tenant, () => settings.set('theme', theme));
    const waiting = Array.from({ length: 50 }, (_, i) => set(acme, `theme ${i}`));
    await untilBlocked('tenant_settings');
    await set(globex, 'dark');
    await usage().reserve('exports', 1, globex);
    await expectOthersServed();
    await holder.query('COMMIT');
    await Promise.all(waiting);
  });

  it('30 who ask how large it is, while a table of it is locked, wait on its own connections', async () => {
    await holder.query('BEGIN');
    await holder.query(`LOCK TABLE ${acme.schemaName}.note IN ACCESS EXCLUSIVE MODE`);
    const statuses: number[] = [];
    const pollers = Array.from({ length: 30 }, async () => {
      const { status } = await get('/tenant/usage', 'acme');
      statuses.push(status);
    });
    await untilBlocked('pg_total_relation_size');
    await expectOthersServed();
    expect((await get('/tenant/usage')).body).toMatchObject({ tenantId: globex.id, storage: { rows: 0 } });
    expect(statuses.length).toBeLessThan(30);
    await Promise.all(pollers);
    expect(new Set(statuses)).toEqual(new Set([503]));
  });
});
