import { ConfigurableModuleBuilder, Module, type NestModule } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ADMIN_OPTIONS, type TenancyAdminOptions } from './admin.options';
import { readExpressBodies } from './express-bodies';
import { FastifyBodyFilter, readFastifyBodies } from './fastify-bodies';
import { IdempotencyKeys } from './idempotency-keys';
import { MasterKeys } from './master-keys';
import { documentAdminApi } from './openapi/document-admin-api';
import { TenantAuditController } from './tenant-audit.controller';
import { TenantConditions } from './tenant-conditions';
import { TenantDomainsController } from './tenant-domains.controller';
import { TenantsController } from './tenants.controller';

const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<TenancyAdminOptions>({
  optionsInjectionToken: ADMIN_OPTIONS,
})
  .setClassMethodName('forRoot')
  .build();

const OPENAPI = Symbol('OPENAPI');

/**
 * The HTTP API under `/admin` that makes and manages tenants. Import it beside `TenancyModule`, which it works on.
 * It does not start without a master key of at least 32 characters.
 */
@Module({
  controllers: [TenantsController, TenantDomainsController, TenantAuditController],
  providers: [
    MasterKeys,
    IdempotencyKeys,
    TenantConditions,
    FastifyBodyFilter,
    // While the application is put together, so that it is done before anybody can ask for a document.
    { provide: OPENAPI, useFactory: documentAdminApi },
  ],
})
export class TenancyAdminModule extends ConfigurableModuleClass implements NestModule {
  constructor(private readonly adapterHost: HttpAdapterHost) {
    super();
  }

  /**
   * Has merge patches read as JSON, and what is refused of a body told in our words. Called after the platform's own
   * body parsers are in place, and before any route is.
   */
  configure(): void {
    // There is none in an application without HTTP, such as a command line.
    const { httpAdapter } = this.adapterHost as Partial<HttpAdapterHost>;
    if (httpAdapter?.getType() === 'express') readExpressBodies(httpAdapter);
    if (httpAdapter?.getType() === 'fastify') readFastifyBodies(httpAdapter);
  }
}
