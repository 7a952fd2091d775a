import {
  ConfigurableModuleBuilder,
  Global,
  Inject,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  Optional,
  type Provider,
  type Type,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { explainAbsent } from '../common/absent-package';
import { checkedProviders } from '../common/module-check';
import { optionsProvider } from '../common/options/options-provider';
import { loadPromClient } from '../common/own-metrics';
import { PoolStatistics } from '../connection/pool/pool-statistics';
import { Servers } from '../connection/servers/servers';
import { TenantLookup } from '../registry/cache/tenant-lookup';
import { TenantMover } from '../moves/tenant-mover';
import { EndedWork } from '../provisioning/hooks/ended-work';
import { TENANCY } from '../tenancy.module';
import { InvalidObservabilityOptionsError } from './observability.errors';
import {
  CheckedObservabilityOptions,
  OBSERVABILITY_OPTIONS,
  type TenancyObservabilityOptions,
} from './observability.options';
import { RequestMeter } from './request-meter';
import { SpareState } from '../provisioning/spares/spare-state';
import { TenancyHealth } from './tenancy-health';
import { TenancyMetrics } from './tenancy-metrics';
import { TenantSpanGuard } from './tenant-span.guard';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<TenancyObservabilityOptions>().setClassMethodName('forRoot').build();

function loadOpenTelemetry(): typeof import('@opentelemetry/api') {
  try {
    return require('@opentelemetry/api') as typeof import('@opentelemetry/api');
  } catch (error) {
    throw explainAbsent(error, '@opentelemetry/api', '`spans`');
  }
}

const providers: Provider[] = checkedProviders(
  (): Type => TenancyObservabilityModule,
  MODULE_OPTIONS_TOKEN,
  () => [TENANCY],
  [
    optionsProvider({
      provide: OBSERVABILITY_OPTIONS,
      given: MODULE_OPTIONS_TOKEN,
      declared: CheckedObservabilityOptions,
      Refusal: InvalidObservabilityOptionsError,
    }),
    TenancyHealth,
    {
      provide: TenancyMetrics,
      inject: [
        OBSERVABILITY_OPTIONS,
        PoolStatistics,
        TenantLookup,
        SpareState,
        Servers,
        EndedWork,
        TenantMover,
      ],
      // The optional packages are loaded only where the options need them.
      useFactory: (
        { metrics }: CheckedObservabilityOptions,
        pool: PoolStatistics,
        lookup: TenantLookup,
        spares: SpareState,
        { names }: Servers,
        ended: EndedWork,
        mover: TenantMover,
      ) =>
        metrics &&
        new TenancyMetrics(loadPromClient('`metrics`'), metrics, pool, lookup, spares, names, {
          ended,
          mover,
        }),
    },
    {
      provide: APP_GUARD,
      inject: [OBSERVABILITY_OPTIONS],
      useFactory: ({ spans }: CheckedObservabilityOptions) =>
        new TenantSpanGuard(spans ? loadOpenTelemetry().trace : undefined),
    },
  ],
);

/** Metrics, spans and health of tenants. Import it once, beside `TenancyModule`. */
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
