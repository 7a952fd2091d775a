import { ConfigurableModuleBuilder, type DynamicModule, Global, Module, type Type } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { checkedProviders } from '../common/module-check';
import { givenExtras, optionsProvider } from '../common/options/options-provider';
import { BringsTables } from '../registry/registry-migrations';
import { TENANCY } from '../tenancy.module';
import { DeclaredFollowers } from './declared-followers';
import { EventFollower } from './event-follower';
import { EventRetention } from './event-retention';
import { InvalidEventsOptionsError } from './events.errors';
import {
  CheckedEventsExtras,
  CheckedEventsOptions,
  EVENTS_OPTIONS,
  type TenancyEventsExtras,
  type TenancyEventsOptions,
} from './events.options';
import { documentEventsApi } from './openapi/document-events-api';
import { TenantEventsController } from './tenant-events.controller';
import { FollowerRows } from './follower-rows';
import { EventCollector } from './recording/event-collector';
import { TenantEventLog } from './recording/tenant-event-log';
import { EventLags } from './watching/event-lags';
import { EventsHealth } from './watching/events-health';
import { EventsMetrics } from './watching/events-metrics';
import { TurnMeter } from './watching/turn-meter';
import { CreateEventFollowers1763601700000 } from './migrations/1763601700000-create-event-followers';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<TenancyEventsOptions>()
    .setClassMethodName('forRoot')
    .setExtras<TenancyEventsExtras>(new CheckedEventsExtras(), (definition, extras) => ({
      ...definition,
      providers: [...(definition.providers ?? []), givenExtras(extras)],
      controllers: extras.routes ? [TenantEventsController] : [],
    }))
    .build();

const OPENAPI = Symbol('OPENAPI');

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
        extras: CheckedEventsExtras,
      }),
      DeclaredFollowers,
      FollowerRows,
      EventFollower,
      EventCollector,
      EventRetention,
      TenantEventLog,
      TurnMeter,
      EventLags,
      EventsMetrics,
      EventsHealth,
      // Done while Nest makes the providers, so before any document can be created.
      { provide: OPENAPI, useFactory: documentEventsApi },
    ],
  ),
  exports: [EventFollower, EventRetention, EventsHealth, TenantEventLog],
})
export class TenancyEventsModule extends ConfigurableModuleClass {
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }
}
