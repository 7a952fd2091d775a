import {
  ConfigurableModuleBuilder,
  Global,
  Inject,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  Optional,
  type Provider,
} from '@nestjs/common';
import { APP_GUARD, Reflector } from '@nestjs/core';
import { PoolStatistics } from '../connection/pool-statistics';
import { TenantLookup } from '../resolution/tenant-lookup';
import { checkObservabilityOptions } from './check-observability-options';
import { OBSERVABILITY_OPTIONS, type TenancyObservabilityOptions } from './observability.options';
import { RequestMeter } from './request-meter';
import { SpareState } from './spare-state';
import { TenancyHealth } from './tenancy-health';
import { TenancyMetrics } from './tenancy-metrics';
import { TenantSpanGuard } from './tenant-span.guard';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<TenancyObservabilityOptions>().setClassMethodName('forRoot').build();

const providers: Provider[] = [
  { provide: OBSERVABILITY_OPTIONS, inject: [MODULE_OPTIONS_TOKEN], useFactory: checkObservabilityOptions },
  SpareState,
  TenancyHealth,
  {
    provide: TenancyMetrics,
    inject: [OBSERVABILITY_OPTIONS, PoolStatistics, TenantLookup, SpareState],
    // The packages are loaded by who asks for what is made with them.
    useFactory: async (
      { metrics }: TenancyObservabilityOptions,
      pool: PoolStatistics,
      lookup: TenantLookup,
      spares: SpareState,
    ) => metrics && new TenancyMetrics(await import('prom-client'), metrics, pool, lookup, spares),
  },
  {
    provide: APP_GUARD,
    inject: [OBSERVABILITY_OPTIONS, Reflector],
    useFactory: async ({ spans = false }: TenancyObservabilityOptions, reflector: Reflector) =>
      new TenantSpanGuard(spans ? (await import('@opentelemetry/api')).trace : undefined, reflector),
  },
];

/** Shows what tenants do: metrics, spans, health. Import it once, beside `TenancyModule`. */
@Global()
@Module({ providers, exports: [TenancyHealth] })
export class TenancyObservabilityModule extends ConfigurableModuleClass implements NestModule {
  constructor(@Optional() @Inject(TenancyMetrics) private readonly metrics?: TenancyMetrics) {
    super();
  }

  configure(consumer: MiddlewareConsumer): void {
    if (this.metrics) consumer.apply(RequestMeter).forRoutes('{*splat}');
  }
}
