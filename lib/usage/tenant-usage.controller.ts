import { Controller, Get, Query, UseGuards, UseInterceptors, UsePipes } from '@nestjs/common';
import { AcceptedGuard, Accepts } from '../http/accepted.guard';
import { ApiValidationPipe } from '../http/api-validation.pipe';
import { FieldsInterceptor } from '../http/fields.interceptor';
import { CurrentTenant } from '../resolution/http/current-tenant.decorator';
import type { Tenant } from '../registry/tenant';
import type { UsageReport } from './usage-report';
import { UsageReports } from './usage-reports';
import { UsageQuery } from './usage.dto';

/** What a tenant itself may read about its usage. */
@Controller('tenant/usage')
@UseGuards(AcceptedGuard)
@UseInterceptors(FieldsInterceptor)
@UsePipes(ApiValidationPipe)
export class TenantUsageController {
  constructor(private readonly reports: UsageReports) {}

  @Get()
  @Accepts({ query: UsageQuery })
  show(@CurrentTenant() tenant: Tenant, @Query() query: UsageQuery): Promise<UsageReport> {
    return this.reports.of(tenant, query);
  }
}
