import { Module } from '@nestjs/common';
import { APP_GUARD, DiscoveryModule } from '@nestjs/core';
import { ContextModule } from '../context/context.module';
import { RegistryModule } from '../registry/registry.module';
import { TenantCarrier } from './carried/tenant-carrier';
import { CURRENT_TENANT, currentTenantProvider } from './http/current-tenant.provider';
import { DurableClassesCheck } from './http/durable-classes-check';
import { EventStreamsInterceptor } from './http/event-streams.interceptor';
import { GraphqlErrors } from './http/graphql-errors';
import { SharedCacheCheck } from './http/shared-cache-check';
import { TenancyExceptionFilter } from './http/tenancy-exception.filter';
import { MiddlewareMount, TenantMiddleware } from './http/tenant.middleware';
import { TenantGuard } from './http/tenant.guard';
import { TenantResolution } from './tenant-resolution';

/** From a request to its tenant. */
@Module({
  imports: [ContextModule, DiscoveryModule, RegistryModule],
  providers: [
    currentTenantProvider,
    DurableClassesCheck,
    EventStreamsInterceptor,
    GraphqlErrors,
    MiddlewareMount,
    SharedCacheCheck,
    TenancyExceptionFilter,
    TenantCarrier,
    TenantMiddleware,
    TenantResolution,
    { provide: APP_GUARD, useClass: TenantGuard },
  ],
  exports: [CURRENT_TENANT, MiddlewareMount, TenantCarrier, TenantResolution],
})
export class ResolutionModule {}
