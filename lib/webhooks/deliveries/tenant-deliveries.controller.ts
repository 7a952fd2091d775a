import { Controller, Get, Param, Query, Req, UseGuards, UseInterceptors, UsePipes } from '@nestjs/common';
import { PrincipalCallerGuard } from '../../access/principal-caller.guard';
import { principalOf } from '../../access/request-principal';
import { RequireScopes } from '../../access/require-scopes.decorator';
import { TenantRequiredError } from '../../context/context.errors';
import { AcceptedGuard, Accepts } from '../../http/accepted.guard';
import type { ApiRequest } from '../../http/api-request';
import { ApiValidationPipe } from '../../http/api-validation.pipe';
import type { Page } from '../../http/cursor';
import { FieldsInterceptor } from '../../http/fields.interceptor';
import { IdempotencyInterceptor } from '../../http/idempotency.interceptor';
import type { WebhookDelivery } from '../webhook-delivery';
import { DeliveriesQuery } from './delivery.dto';
import { WebhookDeliveries, type WebhookDeliveryDetails } from './webhook-deliveries';
import { WebhookDeliveriesController } from './webhook-deliveries.controller';

/** What was sent to an endpoint of the request's tenant. */
@Controller('tenant/webhooks/:endpoint')
@RequireScopes('webhooks:write')
@UseGuards(PrincipalCallerGuard, AcceptedGuard)
@UseInterceptors(IdempotencyInterceptor, FieldsInterceptor)
@UsePipes(ApiValidationPipe)
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
    const tenantId = principalOf(request)?.tenantId;
    if (tenantId === undefined) throw new TenantRequiredError();
    return tenantId;
  }
}
