import { PATCH_BODY } from '../../http/accepted.guard';
import { BODY_ERRORS, type DocumentedCall, IDEMPOTENCY_ERRORS } from '../../http/openapi/documented-call';
import { RotateWebhookSecretBody } from '../endpoints/webhook-endpoint.dto';
import { ShownWebhookEndpointModel, WebhookEndpointModel, WebhookEndpointPageModel } from './webhook-models';

const UNKNOWN = { 404: 'WEBHOOK_ENDPOINT_NOT_FOUND' };
const CHANGED = { ...UNKNOWN, 412: 'PRECONDITION_FAILED' };

/** By the names of the handlers of `WebhookEndpointsController`. */
export const WEBHOOK_CALLS: Readonly<Record<string, DocumentedCall>> = {
  create: {
    summary: 'Make a webhook endpoint, whose secret is shown this once',
    answers: { 201: ShownWebhookEndpointModel },
    errors: {
      ...BODY_ERRORS,
      ...IDEMPOTENCY_ERRORS,
      409: 'WEBHOOK_ENDPOINT_LIMIT, IDEMPOTENCY_IN_PROGRESS',
    },
    headers: ['Idempotency-Key'],
  },
  list: {
    summary: 'List webhook endpoints in the order of their creation',
    answers: { 200: WebhookEndpointPageModel },
  },
  get: {
    summary: 'Show a webhook endpoint',
    answers: { 200: WebhookEndpointModel, 304: undefined },
    errors: UNKNOWN,
    headers: ['If-None-Match'],
    params: ['endpoint'],
  },
  update: {
    summary: 'Change a webhook endpoint, or disable or enable it',
    answers: { 200: WebhookEndpointModel },
    errors: { ...CHANGED, ...BODY_ERRORS },
    headers: ['If-Match'],
    params: ['endpoint'],
    consumes: PATCH_BODY,
  },
  rotateSecret: {
    summary: 'Give a webhook endpoint a new secret; the old one signs as well for a while',
    answers: { 200: ShownWebhookEndpointModel },
    errors: { ...CHANGED, ...BODY_ERRORS, ...IDEMPOTENCY_ERRORS, 409: 'IDEMPOTENCY_IN_PROGRESS' },
    headers: ['Idempotency-Key', 'If-Match'],
    params: ['endpoint'],
    optionalBody: RotateWebhookSecretBody,
  },
  remove: {
    summary: 'Delete a webhook endpoint and what is kept of its deliveries',
    answers: { 204: undefined },
    errors: CHANGED,
    headers: ['If-Match'],
    params: ['endpoint'],
  },
};
