import { Controller, Get, Param, Query } from '@nestjs/common';
import { TenantNotFoundError } from '../registry/tenant.errors';
import { TenantStore } from '../registry/store/tenant.store';
import { isUuid } from '../registry/claim';
import { Accepts } from '../http/accepted.guard';
import { AdminRoutes } from './admin-routes.decorator';
import { AuditNotKeptError } from './admin.errors';
import { decodeAuditCursor, type Page, pageOf } from '../http/cursor';
import { PageQuery } from '../http/page-query';
import type { AuditView } from './tenant.dto';

/** Who did what to a tenant, when and why. */
@Controller('admin/tenants')
@AdminRoutes('tenants')
export class TenantAuditController {
  constructor(private readonly store: TenantStore) {}

  /** The latest first. A purged tenant still has its audit, by its id. */
  @Get(':tenant/audit')
  @Accepts({ query: PageQuery })
  async list(
    @Param('tenant') reference: string,
    @Query() { cursor, ...query }: PageQuery,
  ): Promise<Page<AuditView>> {
    if (!this.store.listAudit) throw new AuditNotKeptError();
    const limit = Number(query.limit);
    const beforeId = cursor === undefined ? undefined : decodeAuditCursor(cursor);
    const tenant = await this.store.find({ by: isUuid(reference) ? 'id' : 'slug', value: reference });
    const tenantId = tenant?.id ?? reference;
    const records = await this.store.listAudit({ tenantId, limit: limit + 1, beforeId });
    if (!tenant && records.length === 0) throw new TenantNotFoundError();
    return pageOf(records, limit, (record) => record);
  }
}
