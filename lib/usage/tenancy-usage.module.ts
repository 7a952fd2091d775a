import { ConfigurableModuleBuilder, type DynamicModule, Global, Module, type Type } from '@nestjs/common';
import { checkedProviders } from '../common/module-check';
import { givenExtras, optionsProvider } from '../common/options/options-provider';
import { ResourceMeter } from '../context/resource-meter';
import { BringsTables } from '../registry/registry-migrations';
import { TENANCY } from '../tenancy.module';
import { CreateUsage1763600900000 } from './migrations/1763600900000-create-usage';
import { documentUsageApi } from './openapi/document-usage-api';
import { RefusedCounts } from './refused-counts';
import { Reservations } from './reservations';
import { TenantQuotas } from './tenant-quotas';
import { TenantStorage } from './tenant-storage';
import { TenantUsage } from './tenant-usage';
import { TenantUsageController } from './tenant-usage.controller';
import { UsageReports } from './usage-reports';
import { UsageRows } from './usage-rows';
import { InvalidUsageOptionsError } from './usage.errors';
import {
  CheckedUsageExtras,
  CheckedUsageOptions,
  type TenancyUsageExtras,
  type TenancyUsageOptions,
  USAGE_OPTIONS,
} from './usage.options';

const OPENAPI = Symbol('OPENAPI');

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<TenancyUsageOptions>()
    .setClassMethodName('forRoot')
    .setExtras<TenancyUsageExtras>(new CheckedUsageExtras(), (definition, extras) => ({
      ...definition,
      providers: [...(definition.providers ?? []), givenExtras(extras)],
      controllers: extras.routes ? [TenantUsageController] : [],
    }))
    .build();

/** Counts what each tenant uses, and refuses what exceeds its hard quotas. Import it once, beside `TenancyModule`. */
@BringsTables(CreateUsage1763600900000)
@Global()
@Module({
  providers: checkedProviders(
    (): Type => TenancyUsageModule,
    MODULE_OPTIONS_TOKEN,
    () => [TENANCY],
    [
      optionsProvider({
        provide: USAGE_OPTIONS,
        given: MODULE_OPTIONS_TOKEN,
        declared: CheckedUsageOptions,
        Refusal: InvalidUsageOptionsError,
        extras: CheckedUsageExtras,
      }),
      UsageRows,
      TenantQuotas,
      RefusedCounts,
      Reservations,
      TenantUsage,
      { provide: ResourceMeter, useExisting: TenantUsage },
      TenantStorage,
      UsageReports,
      // Done while Nest makes the providers, so before any document can be created.
      { provide: OPENAPI, useFactory: documentUsageApi },
    ],
  ),
  exports: [TenantUsage, UsageReports, ResourceMeter],
})
export class TenancyUsageModule extends ConfigurableModuleClass {
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }
}
