import { ConfigurableModuleBuilder, type DynamicModule, Global, Module, type Type } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { checkedProviders } from '../common/module-check';
import { optionsProvider } from '../common/options/options-provider';
import { BringsTables } from '../registry/registry-migrations';
import { TENANCY } from '../tenancy.module';
import { DeclaredFollowers } from './declared-followers';
import { EventFollower } from './event-follower';
import { InvalidEventsOptionsError } from './events.errors';
import { CheckedEventsOptions, EVENTS_OPTIONS, type TenancyEventsOptions } from './events.options';
import { FollowerRows } from './follower-rows';
import { EventCollector } from './recording/event-collector';
import { TenantEventLog } from './recording/tenant-event-log';
import { CreateEventFollowers1763601700000 } from './migrations/1763601700000-create-event-followers';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<TenancyEventsOptions>().setClassMethodName('forRoot').build();

/** What happens to tenants, for those who follow it. Import it once, beside `TenancyModule`. */
@BringsTables(CreateEventFollowers1763601700000)
@Global()
@Module({
  imports: [DiscoveryModule],
  providers: checkedProviders(
    (): Type => TenancyEventsModule,
    MODULE_OPTIONS_TOKEN,
    () => [TENANCY],
    [
      optionsProvider({
        provide: EVENTS_OPTIONS,
        given: MODULE_OPTIONS_TOKEN,
        declared: CheckedEventsOptions,
        Refusal: InvalidEventsOptionsError,
      }),
      DeclaredFollowers,
      FollowerRows,
      EventFollower,
      EventCollector,
      TenantEventLog,
    ],
  ),
  exports: [EventFollower, TenantEventLog],
})
export class TenancyEventsModule extends ConfigurableModuleClass {
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }
}
