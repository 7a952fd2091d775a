import { Controller, Get, Param, Query } from '@nestjs/common';
import { Accepts } from '../http/accepted.guard';
import { TenantNotFoundError } from '../registry/tenant.errors';
import { TenantStore } from '../registry/store/tenant.store';
import { isUuid } from '../registry/claim';
import type { UsageReport } from '../usage/usage-report';
import { UsageReports } from '../usage/usage-reports';
import { UsageQuery } from '../usage/usage.dto';
import { AdminRoutes } from './admin-routes.decorator';

/** What any tenant has used, whatever its status. */
@Controller('admin/tenants')
@AdminRoutes('usage')
export class AdminTenantUsageController {
  constructor(
    private readonly reports: UsageReports,
    private readonly store: TenantStore,
  ) {}

  /** A purged tenant still has its usage, by its id. */
  @Get(':tenant/usage')
  @Accepts({ query: UsageQuery })
  async show(@Param('tenant') reference: string, @Query() query: UsageQuery): Promise<UsageReport> {
    const byId = isUuid(reference);
    const tenant = await this.store.find({ by: byId ? 'id' : 'slug', value: reference });
    const report = tenant
      ? await this.reports.of(tenant, query)
      : byId && (await this.reports.ofPurged(reference, query));
    if (!report) throw new TenantNotFoundError();
    return report;
  }
}
