import { Controller } from '@nestjs/common';
import type { ApiRequest } from '../http/api-request';
import { callerOf } from '../http/caller';
import { TenantLifecycle } from '../provisioning/tenant-lifecycle';
import { WebhookEndpoints } from '../webhooks/endpoints/webhook-endpoints';
import {
  WebhookEndpointsController,
  type WebhooksOf,
} from '../webhooks/endpoints/webhook-endpoints.controller';
import { AdminRoutes } from './admin-routes.decorator';

/** The webhook endpoints of any tenant, whatever its status. */
@Controller('admin/tenants/:tenant/webhooks')
@AdminRoutes('webhooks')
export class AdminWebhooksController extends WebhookEndpointsController {
  constructor(
    endpoints: WebhookEndpoints,
    private readonly lifecycle: TenantLifecycle,
  ) {
    super(endpoints);
  }

  protected async webhooksOf(request: ApiRequest): Promise<WebhooksOf> {
    const { id } = await this.lifecycle.get(request.params?.tenant ?? '');
    return { tenantId: id, actor: callerOf(request).name };
  }
}
