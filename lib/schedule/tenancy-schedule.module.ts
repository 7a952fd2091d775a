import { ConfigurableModuleBuilder, type DynamicModule, Global, Module, type Type } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { checkedProviders } from '../common/module-check';
import { optionsProvider } from '../common/options/options-provider';
import { BringsTables } from '../registry/registry-migrations';
import { TENANCY } from '../tenancy.module';
import { DeclaredTimers } from './declared-timers';
import { CreateTimers1763601400000 } from './migrations/1763601400000-create-timers';
import { InvalidScheduleError } from './schedule.errors';
import { CheckedScheduleOptions, SCHEDULE_OPTIONS, type TenancyScheduleOptions } from './schedule.options';
import { TenantTimers } from './tenant-timers';
import { TimerRows } from './timer-rows';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<TenancyScheduleOptions>().setClassMethodName('forRoot').build();

/** Runs methods with `@TenantCron()` for all tenants, once per fleet. Import it once, beside `TenancyModule`. */
@BringsTables(CreateTimers1763601400000)
@Global()
@Module({
  imports: [DiscoveryModule],
  providers: checkedProviders(
    (): Type => TenancyScheduleModule,
    MODULE_OPTIONS_TOKEN,
    () => [TENANCY],
    [
      optionsProvider({
        provide: SCHEDULE_OPTIONS,
        given: MODULE_OPTIONS_TOKEN,
        declared: CheckedScheduleOptions,
        Refusal: InvalidScheduleError,
      }),
      DeclaredTimers,
      TimerRows,
      TenantTimers,
    ],
  ),
  exports: [TenantTimers],
})
export class TenancyScheduleModule extends ConfigurableModuleClass {
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }
}
