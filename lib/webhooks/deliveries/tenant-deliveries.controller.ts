import { Controller, Get, Param, Query, Req } from '@nestjs/common';
import { inTenant, principalOf } from '../../access/request-principal';
import { RequireScopes } from '../../access/require-scopes.decorator';
import { TenantRoutes } from '../../access/tenant-routes.decorator';
import { Accepts } from '../../http/accepted.guard';
import type { ApiRequest } from '../../http/api-request';
import type { Page } from '../../http/cursor';
import type { WebhookDelivery } from '../webhook-delivery';
import { DeliveriesQuery } from './delivery.dto';
import { WebhookDeliveries, type WebhookDeliveryDetails } from './webhook-deliveries';
import { WebhookDeliveriesController } from './webhook-deliveries.controller';

/** What was sent to an endpoint of the request's tenant. */
@Controller('tenant/webhooks/:endpoint')
@RequireScopes('webhooks:write')
@TenantRoutes()
export class TenantDeliveriesController extends WebhookDeliveriesController {
  constructor(deliveries: WebhookDeliveries) {
    super(deliveries);
  }

  @Get('deliveries')
  @RequireScopes('webhooks:read')
  @Accepts({ query: DeliveriesQuery })
  override list(
    @Req() request: ApiRequest,
    @Param('endpoint') endpoint: string,
    @Query() query: DeliveriesQuery,
  ): Promise<Page<WebhookDelivery>> {
    return super.list(request, endpoint, query);
  }

  @Get('deliveries/:delivery')
  @RequireScopes('webhooks:read')
  override get(
    @Req() request: ApiRequest,
    @Param('endpoint') endpoint: string,
    @Param('delivery') delivery: string,
  ): Promise<WebhookDeliveryDetails> {
    return super.get(request, endpoint, delivery);
  }

  protected tenantOf(request: ApiRequest): string {
    return inTenant(principalOf(request)).tenantId;
  }
}
