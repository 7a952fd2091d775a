/**
 * Webhooks.
 *
 * @module nestjs-tenancy/webhooks
 */

export { TenancyWebhooksModule } from './tenancy-webhooks.module';
export { type TenancyWebhooksOptions } from './webhooks.options';
export {
  type ShownWebhookEndpoint,
  WEBHOOK_ENDPOINT_STATUSES,
  type WebhookEndpoint,
  type WebhookEndpointStatus,
} from './webhook-endpoint';
export {
  WEBHOOK_DELIVERY_STATUSES,
  type WebhookAttempt,
  type WebhookDelivery,
  type WebhookDeliveryStatus,
} from './webhook-delivery';
export { InvalidWebhooksOptionsError } from './webhooks.errors';
