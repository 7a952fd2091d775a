import { API_KEY_SCHEME } from '../../access/openapi/api-key-scheme';
import { COMMON_ERRORS } from '../../access/openapi/calls';
import { describeApi } from '../../http/openapi/describe-api';
import { TenantWebhooksController } from '../endpoints/tenant-webhooks.controller';
import { TenantDeliveriesController } from '../deliveries/tenant-deliveries.controller';
import { DELIVERY_CALLS } from './delivery-calls';
import { DELIVERY_MODELS } from './delivery-models';
import { WEBHOOK_CALLS } from './webhook-calls';
import { TAGGED_ENDPOINTS, WEBHOOK_MODELS, WebhookErrorModel } from './webhook-models';

/** Describes `/tenant/webhooks` to `@nestjs/swagger`, if it is installed, for every document made from now on. */
export function documentWebhooksApi(): void {
  describeApi({
    tag: 'Tenancy webhooks',
    scheme: API_KEY_SCHEME,
    models: [...WEBHOOK_MODELS, ...DELIVERY_MODELS],
    tagged: TAGGED_ENDPOINTS,
    gone: 'Deleted',
    errorModel: WebhookErrorModel,
    commonErrors: COMMON_ERRORS,
    controllers: [
      [TenantWebhooksController, WEBHOOK_CALLS],
      [TenantDeliveriesController, DELIVERY_CALLS],
    ],
  });
}
