/**
 * Webhooks.
 *
 * @module nestjs-tenancy/webhooks
 */

export { TenancyWebhooksModule } from './tenancy-webhooks.module';
export { type TenancyWebhooksExtras, type TenancyWebhooksOptions } from './webhooks.options';
export type { ShownWebhookEndpoint, WebhookEndpoint, WebhookEndpointStatus } from './webhook-endpoint';
export type { WebhookAttempt, WebhookDelivery, WebhookDeliveryStatus } from './webhook-delivery';
export {
  type ResendSinceOptions,
  WebhookDeliveries,
  type WebhookDeliveryDetails,
} from './deliveries/webhook-deliveries';
export {
  type DeliveryListOptions,
  type EndpointSummary,
  type WaitingDeliveries,
} from './deliveries/delivery-rows';
export {
  WebhookDeliveryNotFoundError,
  WebhookDisabledError,
  WebhookEndpointNotFoundError,
} from './deliveries/deliveries.errors';
export { WebhooksHealth, type WebhooksHealthResult } from './deliveries/webhooks-health';
export {
  type CreateWebhookEndpointOptions,
  type RotateWebhookSecretOptions,
  type WebhookEndpointChangeOptions,
  WebhookEndpoints,
} from './endpoints/webhook-endpoints';
export { type WebhookEndpointInput, type WebhookEndpointPatch } from './endpoints/webhook-input';
export { WebhookSecrets } from './secrets/webhook-secrets';
export { verifyWebhook, type WebhookHeaders } from './receiving/verify-webhook';
export {
  VerifiedWebhook,
  type WebhookReceived,
  type WebhookSecretsOf,
} from './receiving/verified-webhook.decorator';
export {
  InvalidWebhooksOptionsError,
  RawBodyMissingError,
  WebhookEndpointLimitError,
  WebhookEndpointVersionError,
  WebhookInvalidError,
  WebhookKeysMissingError,
  WebhookSecretUnreadableError,
} from './webhooks.errors';
