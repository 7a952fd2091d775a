import { ConfigurableModuleBuilder, Global, Module, type Provider, type Type } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { checkedProviders } from '../common/module-check';
import { givenExtras, optionsProvider } from '../common/options/options-provider';
import { BringsTables } from '../registry/registry-migrations';
import { TENANCY } from '../tenancy.module';
import { CreateTenantSettings1763600800000 } from './migrations/1763600800000-create-tenant-settings';
import { DeclaredSettings } from './declared-settings';
import { KnownSettings } from './known-settings';
import { documentSettingsApi } from './openapi/document-settings-api';
import { RequiredFeatures } from './required-features';
import { SettingRows } from './setting-rows';
import { InvalidSettingsError } from './settings.errors';
import {
  CheckedSettingsExtras,
  CheckedSettingsOptions,
  SETTINGS_OPTIONS,
  type TenancySettingsExtras,
  type TenancySettingsOptions,
} from './settings.options';
import { TenantSettings } from './tenant-settings';
import { TenantSettingsController } from './tenant-settings.controller';

const OPENAPI = Symbol('OPENAPI');

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<TenancySettingsOptions>()
    .setClassMethodName('forRoot')
    .setExtras<TenancySettingsExtras>(new CheckedSettingsExtras(), (definition, extras) => ({
      ...definition,
      providers: [...(definition.providers ?? []), givenExtras(extras)],
      controllers: extras.routes ? [TenantSettingsController] : [],
    }))
    .build();

const providers: Provider[] = checkedProviders(
  (): Type => TenancySettingsModule,
  MODULE_OPTIONS_TOKEN,
  () => [TENANCY],
  [
    optionsProvider({
      provide: SETTINGS_OPTIONS,
      given: MODULE_OPTIONS_TOKEN,
      declared: CheckedSettingsOptions,
      Refusal: InvalidSettingsError,
      extras: CheckedSettingsExtras,
    }),
    {
      provide: DeclaredSettings,
      inject: [SETTINGS_OPTIONS],
      useFactory: (options: CheckedSettingsOptions) => new DeclaredSettings(options),
    },
    SettingRows,
    KnownSettings,
    TenantSettings,
    RequiredFeatures,
    // Done while Nest makes the providers, so before any document can be created.
    { provide: OPENAPI, useFactory: documentSettingsApi },
  ],
);

/**
 * Settings and features of tenants. Import it once, beside `TenancyModule`. `TenancyAdminModule.forRoot({ …, settings:
 * true })` offers an API for the operator.
 */
@BringsTables(CreateTenantSettings1763600800000)
@Global()
@Module({ imports: [DiscoveryModule], providers, exports: [TenantSettings] })
export class TenancySettingsModule extends ConfigurableModuleClass {}
