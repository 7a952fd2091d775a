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
import { PageQuery } from '../../http/page-query';
import type { WebhookEndpoint } from '../webhook-endpoint';
import { WebhookEndpointAnswerInterceptor } from './webhook-endpoint-answer.interceptor';
import type { WebhookEndpointView } from './webhook-endpoint.dto';
import { WebhookEndpoints } from './webhook-endpoints';
import { WebhookEndpointsController, type WebhooksOf } from './webhook-endpoints.controller';

/** The endpoints of the request's tenant. */
@Controller('tenant/webhooks')
@RequireScopes('webhooks:write')
@UseGuards(PrincipalCallerGuard, AcceptedGuard)
@UseInterceptors(IdempotencyInterceptor, FieldsInterceptor)
@UsePipes(ApiValidationPipe)
export class TenantWebhooksController extends WebhookEndpointsController {
  constructor(endpoints: WebhookEndpoints) {
    super(endpoints);
  }

  @Get()
  @RequireScopes('webhooks:read')
  @Accepts({ query: PageQuery })
  override list(@Req() request: ApiRequest, @Query() query: PageQuery): Promise<Page<WebhookEndpointView>> {
    return super.list(request, query);
  }

  @Get(':endpoint')
  @RequireScopes('webhooks:read')
  @UseInterceptors(WebhookEndpointAnswerInterceptor)
  override get(@Req() request: ApiRequest, @Param('endpoint') id: string): Promise<WebhookEndpoint> {
    return super.get(request, id);
  }

  protected webhooksOf(request: ApiRequest): WebhooksOf {
    const principal = principalOf(request);
    if (principal?.tenantId === undefined) throw new TenantRequiredError();
    return { tenantId: principal.tenantId, actor: principal.name };
  }
}
