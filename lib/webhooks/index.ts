/**
 * Webhooks.
 *
 * @module nestjs-tenancy/webhooks
 */

export { TenancyWebhooksModule } from './tenancy-webhooks.module';
export { type TenancyWebhooksOptions } from './webhooks.options';
export type { ShownWebhookEndpoint, WebhookEndpoint, WebhookEndpointStatus } from './webhook-endpoint';
export type { WebhookAttempt, WebhookDelivery, WebhookDeliveryStatus } from './webhook-delivery';
export { InvalidWebhooksOptionsError } from './webhooks.errors';
