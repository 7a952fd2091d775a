import { PassThrough } from 'node:stream';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { FleetMigrator, TenantContext, TenantExport, TenantProvisioner } from '../../../lib';
import { EventRetention, EventTrail, TenancyEventsModule } from '../../../lib/events';
import { TenancyUsageModule, TenantUsage } from '../../../lib/usage';
import { TenantQuotas } from '../../../lib/usage/tenant-quotas';
import { CreateNotes1700000000000 } from '../../support/notes';
import { ownDatabase } from '../provisioning/app';

class AddNoteLanguage1700000000009 implements MigrationInterface {
  up = (queryRunner: QueryRunner) => queryRunner.query('ALTER TABLE note ADD COLUMN language text');
  down = (queryRunner: QueryRunner) => queryRunner.query('ALTER TABLE note DROP COLUMN language');
}

const own = ownDatabase();

it('tells of a tenant’s quotas, once for a period, of its migrations and exports', async () => {
  const plans = { free: { orders: { limit: 3, per: 'month', hard: true } } } as const;
  const usage = TenancyUsageModule.forRoot({ plans, defaultPlan: 'free' });
  const first = await own.start({ migrations: [CreateNotes1700000000000] }, { imports: [usage] });
  const acme = await first.app.get(TenantProvisioner).create({ slug: 'acme' });
  const counter = first.app.get(TenantUsage);
  await first.app.get(TenantContext).run(acme, async () => {
    for (let i = 0; i < 3; i++) await counter.reserve('orders', 1);
    await expect(counter.reserve('orders', 1)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
  });
  await first.app.get(TenantQuotas, { strict: false }).settled();
  await first.app.get(TenantExport).export('acme', new PassThrough().resume());
  await own.closeAll();
  const migrations = [CreateNotes1700000000000, AddNoteLanguage1700000000009];
  const { app } = await own.start({ migrations }, { imports: [usage] });
  await app.get(FleetMigrator).up();
  const events = await app.get(EventTrail).list({ tenantId: acme.id, limit: 100 });
  expect(events.map(({ type, subject, data }) => [type, subject, data])).toEqual([
    ['tenant.created', null, {}],
    ['quota.reached', 'orders', { metric: 'orders', limit: 3, per: 'month', hard: true, used: 3 }],
    ['tenant.exported', null, { rows: 0, items: {} }],
    ['tenant.migrated', null, { to: 'AddNoteLanguage1700000000009' }],
  ]);
});

it('deletes what is older than each tenant’s retention, and leaves a chain that verifies', async () => {
  const days: Record<string, number> = { short: 10, middle: 100 };
  const events = TenancyEventsModule.forRoot({ retentionDays: (tenant) => days[tenant?.slug ?? ''] });
  const { app } = await own.start({}, { imports: [events] });
  const trail = app.get(EventTrail);
  const left: Record<string, number> = {};
  const tenants = [];
  for (const slug of ['short', 'middle', 'long'])
    tenants.push(await app.get(TenantProvisioner).create({ slug }));
  await own.database.query(
    `UPDATE tenancy.tenant_event_outbox SET occurred_at = now() - interval '200 days'`,
  );
  for (const { id } of tenants)
    for (const age of [50, 5])
      await own.database.query(
        `INSERT INTO tenancy.tenant_event_outbox (id, tenant_id, type, actor_type, data, occurred_at)
         VALUES (gen_random_uuid(), $1, 'order.shipped', 'system', '{}', now() - interval '${age} days')`,
        [id],
      );
  await trail.list({ limit: 1 });
  expect([await app.get(EventRetention).sweep(), await app.get(EventRetention).sweep()]).toEqual([3, 0]);
  for (const { id, slug } of tenants) {
    expect(await trail.verify(id)).toMatchObject({ problems: [], head: { sequence: '3' } });
    left[slug] = (await trail.list({ tenantId: id, limit: 9 })).length;
  }
  expect(left).toEqual({ short: 1, middle: 2, long: 3 });
});
