import { BODY_ERRORS, type DocumentedCall, IDEMPOTENCY_ERRORS } from '../../http/openapi/documented-call';
import {
  ResentWebhooksModel,
  WebhookDeliveryDetailsModel,
  WebhookDeliveryModel,
  WebhookDeliveryPageModel,
} from './delivery-models';

const ENDPOINT = { 404: 'WEBHOOK_ENDPOINT_NOT_FOUND' };
const DELIVERY = { 404: 'WEBHOOK_ENDPOINT_NOT_FOUND, WEBHOOK_DELIVERY_NOT_FOUND' };
const SENT = { ...BODY_ERRORS, ...IDEMPOTENCY_ERRORS, 409: 'WEBHOOK_DISABLED, IDEMPOTENCY_IN_PROGRESS' };

/** By the names of the handlers of `WebhookDeliveriesController`. */
export const DELIVERY_CALLS: Readonly<Record<string, DocumentedCall>> = {
  list: {
    summary: 'List what was sent to a webhook endpoint, the latest first; with status=dead what was given up',
    answers: { 200: WebhookDeliveryPageModel },
    errors: ENDPOINT,
    params: ['endpoint'],
  },
  get: {
    summary: 'Show a delivery with its attempts',
    answers: { 200: WebhookDeliveryDetailsModel },
    errors: DELIVERY,
    params: ['endpoint', 'delivery'],
  },
  resend: {
    summary: 'Send a delivery again, with the same webhook-id',
    answers: { 200: WebhookDeliveryModel },
    errors: { ...DELIVERY, ...SENT },
    headers: ['Idempotency-Key'],
    params: ['endpoint', 'delivery'],
  },
  resendSince: {
    summary: 'Send all dead deliveries again that were made since then, or all delivered ones',
    answers: { 200: ResentWebhooksModel },
    errors: { ...ENDPOINT, ...SENT },
    headers: ['Idempotency-Key'],
    params: ['endpoint'],
  },
  test: {
    summary: 'Send an event webhook.test to a webhook endpoint',
    answers: { 201: WebhookDeliveryModel },
    errors: { ...ENDPOINT, ...SENT },
    headers: ['Idempotency-Key'],
    params: ['endpoint'],
  },
};
