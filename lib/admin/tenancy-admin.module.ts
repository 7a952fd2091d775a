import {
  ConfigurableModuleBuilder,
  type FactoryProvider,
  Module,
  type NestModule,
  type Type,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { TenancyAccessModule } from '../access/tenancy-access.module';
import { mayMiss, moduleCheck } from '../common/module-check';
import { givenExtras, optionsProvider } from '../common/options/options-provider';
import { API_PATHS, FastifyBodyFilter, readBodies } from '../http/read-bodies';
import { IdempotencyKeys } from '../http/idempotency-keys';
import { TenancyMembersModule } from '../members/tenancy-members.module';
import { TenancySettingsModule } from '../settings/tenancy-settings.module';
import { BringsTables } from '../registry/registry-migrations';
import { TENANCY } from '../tenancy.module';
import { CreateIdempotencyKeys1763600210000 } from '../http/migrations/1763600210000-create-idempotency-keys';
import { CreateMasterKeyUses1763600510000 } from './migrations/1763600510000-create-master-key-uses';
import { TenancyUsageModule } from '../usage/tenancy-usage.module';
import { TenancyWebhooksModule } from '../webhooks/tenancy-webhooks.module';
import { InvalidAdminOptionsError } from './admin.errors';
import {
  ADMIN_OPTIONS,
  CheckedAdminExtras,
  CheckedAdminOptions,
  type TenancyAdminExtras,
  type TenancyAdminOptions,
} from './admin.options';
import { AdminEventsController } from './admin-events.controller';
import { AdminDeliveriesController } from './admin-deliveries.controller';
import { AdminWebhooksController } from './admin-webhooks.controller';
import { FirstKey } from './first-key';
import { MasterKeyUses } from './master-key-uses';
import { MasterKeys } from './master-keys';
import { MigrationsController } from './migrations.controller';
import { MovesController } from './moves.controller';
import { documentAdminApi } from './openapi/document-admin-api';
import { TenantApiKeysController } from './tenant-api-keys.controller';
import { AdminMembersController, AdminRolesController } from './tenant-members.controllers';
import { SettingsController } from './settings.controller';
import { TenantAuditController } from './tenant-audit.controller';
import { TenantInvitationsOfAdminController } from './tenant-invitations-of-admin.controller';
import { RecoveryKeysController, SupportSessionsController } from './support-sessions.controller';
import { TenantConditions } from './tenant-conditions';
import { TenantDomainsController } from './tenant-domains.controller';
import { AdminTenantUsageController } from './usage.controller';
import { TenantsController } from './tenants.controller';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<TenancyAdminOptions>()
  .setClassMethodName('forRoot')
  .setExtras<TenancyAdminExtras>(new CheckedAdminExtras(), (definition, extras) => ({
    ...definition,
    providers: [checkOf(extras), ...(definition.providers ?? []), givenExtras(extras)],
    controllers: [
      ...(extras.usage ? [AdminTenantUsageController] : []),
      ...(extras.apiKeys ? [TenantApiKeysController] : []),
      ...(extras.members
        ? [
            AdminMembersController,
            AdminRolesController,
            TenantInvitationsOfAdminController,
            SupportSessionsController,
            RecoveryKeysController,
          ]
        : []),
      ...(extras.settings ? [SettingsController] : []),
      ...(extras.webhooks ? [AdminWebhooksController, AdminDeliveriesController] : []),
    ],
  }))
  .build();

/** Reports missing modules by name. Nest would name a class that no user knows. */
function checkOf({ usage, apiKeys, members, settings, webhooks }: TenancyAdminExtras): FactoryProvider {
  const needed = (option: string, isAsked: boolean | undefined, module: Type) =>
    isAsked ? [{ module, by: `TenancyAdminModule.forRoot({ ${option}: true })` }] : [];
  return moduleCheck(
    (): Type => TenancyAdminModule,
    MODULE_OPTIONS_TOKEN,
    () => [
      TENANCY,
      ...needed('usage', usage, TenancyUsageModule),
      ...needed('apiKeys', apiKeys, TenancyAccessModule),
      ...needed('members', members, TenancyMembersModule),
      ...needed('settings', settings, TenancySettingsModule),
      ...needed('webhooks', webhooks, TenancyWebhooksModule),
    ],
  );
}

const PATHS = /\/admin\/(?:tenants|events|migrations|drift|moves)(?:[/?]|$)/i;

const OPENAPI = Symbol('OPENAPI');

/**
 * The HTTP API under `/admin` that creates and manages tenants. Import it beside `TenancyModule`. It does not start
 * without a master key of at least 32 characters.
 */
@BringsTables(CreateMasterKeyUses1763600510000, CreateIdempotencyKeys1763600210000)
@Module({
  controllers: [
    TenantsController,
    TenantDomainsController,
    TenantAuditController,
    AdminEventsController,
    MigrationsController,
    MovesController,
  ],
  // These need the modules that forRoot() has checked.
  providers: [
    optionsProvider({
      provide: ADMIN_OPTIONS,
      given: MODULE_OPTIONS_TOKEN,
      declared: CheckedAdminOptions,
      Refusal: InvalidAdminOptionsError,
      extras: CheckedAdminExtras,
    }),
    MasterKeys,
    MasterKeyUses,
    FirstKey,
    IdempotencyKeys,
    TenantConditions,
    FastifyBodyFilter,
    { provide: API_PATHS, useValue: PATHS },
    // Done while Nest makes the providers, so before any document can be created.
    { provide: OPENAPI, useFactory: documentAdminApi },
  ].map(mayMiss),
})
export class TenancyAdminModule extends ConfigurableModuleClass implements NestModule {
  constructor(private readonly adapterHost: HttpAdapterHost) {
    super();
  }

  configure(): void {
    readBodies(this.adapterHost, PATHS);
  }
}
