import type { DynamicModule } from '@nestjs/common';
import { TenancyAccessModule } from '../../../lib/access';
import { TenancyAdminModule } from '../../../lib/admin';
import { TenancyMembersModule } from '../../../lib/members';
import { TenancyEventsModule } from '../../../lib/events';
import { TenancyScheduleModule } from '../../../lib/schedule';
import { defineSettings, setting, TenancySettingsModule } from '../../../lib/settings';
import { TenancyUsageModule } from '../../../lib/usage';
import { TenancyWebhooksModule } from '../../../lib/webhooks';
import { MASTER_KEY } from '../../support/sample-app';
import type { TestDatabase } from '../../support/database';

/** The modules that have tables of their own. */
export const MODULES = {
  access: () => TenancyAccessModule.forRoot(),
  admin: () => TenancyAdminModule.forRoot({ masterKey: MASTER_KEY }),
  members: () => TenancyMembersModule.forRoot(),
  events: () => TenancyEventsModule.forRoot(),
  schedule: () => TenancyScheduleModule.forRoot(),
  settings: () =>
    TenancySettingsModule.forRoot({
      settings: defineSettings({ theme: setting({ default: 'light', tenant: 'write' }) }),
    }),
  usage: () => TenancyUsageModule.forRoot({ plans: { free: {} }, defaultPlan: 'free' }),
  webhooks: () =>
    TenancyWebhooksModule.forRoot({ encryptionKeys: { k1: Buffer.alloc(32).toString('base64') } }),
} satisfies Record<string, () => DynamicModule>;

export type ModuleName = keyof typeof MODULES;

export const ALL = Object.keys(MODULES) as ModuleName[];

/** With those that these cannot do without. */
export function withNeeded(modules: readonly ModuleName[]): readonly ModuleName[] {
  const needed: ModuleName[] = [
    ...(modules.includes('members') ? (['access'] as const) : []),
    ...(modules.includes('webhooks') ? (['events'] as const) : []),
  ];
  return [...needed.filter((name) => !modules.includes(name)), ...modules];
}

export const CORE_TABLES = [
  ...[
    'databases',
    'migration_runs',
    'moves',
    'orphans',
    'purges',
    'registry_identity',
    'registry_migrations',
    'servers',
    'shared_migrations',
  ],
  ...['spares', 'template_migrations', 'template_prints', 'tenant_domains', 'tenant_event_heads'],
  ...['tenant_event_outbox', 'tenant_events', 'tenant_migrations', 'tenants'],
];

export const TABLES: Readonly<Record<ModuleName, readonly string[]>> = {
  access: ['api_key_uses', 'api_keys', 'idempotency_keys'],
  admin: ['idempotency_keys', 'master_key_uses'],
  members: [
    ...['tenant_invitations', 'tenant_member_uses', 'tenant_members', 'tenant_recovery_keys'],
    ...['tenant_support_access', 'tenant_support_sessions'],
  ],
  events: ['event_backlogs', 'event_followers'],
  schedule: ['timer_failures', 'timer_runs', 'timers'],
  settings: ['tenant_settings'],
  usage: ['usage_flushes', 'usage_months'],
  webhooks: [
    'idempotency_keys',
    ...['webhook_attempts', 'webhook_deliveries', 'webhook_endpoints', 'webhook_lanes', 'webhook_secrets'],
  ],
};

/** Those of the registry that an application with these modules has made. */
export function tablesWith(modules: readonly ModuleName[]): string[] {
  return [...new Set([...CORE_TABLES, ...withNeeded(modules).flatMap((name) => TABLES[name])])].sort();
}

export async function tablesIn(database: TestDatabase): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'tenancy'`,
  );
  return rows.map(({ name }) => name).sort();
}

export async function ledgerOf(database: TestDatabase): Promise<string[]> {
  const rows = await database.query<{ name: string }>('SELECT name FROM tenancy.registry_migrations');
  return rows.map(({ name }) => name).sort();
}
