import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { TenancyObservabilityModule } from 'nestjs-tenancy/observability';
import { Registry } from 'prom-client';
import { HealthController } from './health.controller';
import { MetricsRegistryModule } from './metrics-registry.module';
import { MetricsController } from './metrics.controller';

/** What those who run the application look at. */
@Module({
  imports: [
    MetricsRegistryModule,
    TerminusModule,
    TenancyObservabilityModule.forRootAsync({
      imports: [MetricsRegistryModule],
      inject: [Registry],
      useFactory: (registry: Registry) => ({ metrics: { registry } }),
    }),
  ],
  controllers: [HealthController, MetricsController],
})
export class OperationsModule {}
