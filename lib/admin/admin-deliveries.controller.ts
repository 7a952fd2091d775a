import { Controller } from '@nestjs/common';
import type { ApiRequest } from '../http/api-request';
import { TenantLifecycle } from '../provisioning/tenant-lifecycle';
import { WebhookDeliveries } from '../webhooks/deliveries/webhook-deliveries';
import { WebhookDeliveriesController } from '../webhooks/deliveries/webhook-deliveries.controller';
import { AdminRoutes } from './admin-routes.decorator';

/** What was sent to an endpoint of any tenant, whatever its status. */
@Controller('admin/tenants/:tenant/webhooks/:endpoint')
@AdminRoutes('webhooks')
export class AdminDeliveriesController extends WebhookDeliveriesController {
  constructor(
    deliveries: WebhookDeliveries,
    private readonly lifecycle: TenantLifecycle,
  ) {
    super(deliveries);
  }

  protected async tenantOf(request: ApiRequest): Promise<string> {
    return (await this.lifecycle.get(request.params?.tenant ?? '')).id;
  }
}
