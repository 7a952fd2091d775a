import { Controller, Delete, Param, Put, UseInterceptors } from '@nestjs/common';
import { TenantLifecycle } from '../provisioning/tenant-lifecycle';
import type { Tenant } from '../registry/tenant';
import { AdminRoutes } from './admin-routes.decorator';
import { ChangeRequest, type RequestedChange } from '../http/requested-change';
import { TenantAnswerInterceptor } from './tenant-answer.interceptor';
import { TenantConditions } from './tenant-conditions';

/** The domains of a tenant. */
@Controller('admin/tenants')
@AdminRoutes('tenants')
@UseInterceptors(TenantAnswerInterceptor)
export class TenantDomainsController {
  constructor(
    private readonly lifecycle: TenantLifecycle,
    private readonly conditions: TenantConditions,
  ) {}

  @Put(':tenant/domains/:domain')
  async addDomain(
    @Param('tenant') tenant: string,
    @Param('domain') domain: string,
    @ChangeRequest() change: RequestedChange,
  ): Promise<Tenant> {
    const { reference, options } = await this.conditions.wanted(tenant, change);
    return this.lifecycle.addDomain(reference, domain, options);
  }

  @Delete(':tenant/domains/:domain')
  async removeDomain(
    @Param('tenant') tenant: string,
    @Param('domain') domain: string,
    @ChangeRequest() change: RequestedChange,
  ): Promise<Tenant> {
    const { reference, options } = await this.conditions.wanted(tenant, change);
    return this.lifecycle.removeDomain(reference, domain, options);
  }
}
