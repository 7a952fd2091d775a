import { Controller, Get, Param, Query, Req, UseInterceptors } from '@nestjs/common';
import { inTenant, principalOf } from '../../access/request-principal';
import { RequireScopes } from '../../access/require-scopes.decorator';
import { TenantRoutes } from '../../access/tenant-routes.decorator';
import { Accepts } from '../../http/accepted.guard';
import type { ApiRequest } from '../../http/api-request';
import type { Page } from '../../http/cursor';
import { PageQuery } from '../../http/page-query';
import type { WebhookEndpoint } from '../webhook-endpoint';
import { WebhookEndpointAnswerInterceptor } from './webhook-endpoint-answer.interceptor';
import type { WebhookEndpointView } from './webhook-endpoint.dto';
import { WebhookEndpoints } from './webhook-endpoints';
import { WebhookEndpointsController, type WebhooksOf } from './webhook-endpoints.controller';

/** The endpoints of the request's tenant. */
@Controller('tenant/webhooks')
@RequireScopes('webhooks:write')
@TenantRoutes()
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
    const { tenantId, name } = inTenant(principalOf(request));
    return { tenantId, actor: name };
  }
}
