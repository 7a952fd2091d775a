import type { Model } from '../../http/openapi/describe-api';
import { DATE, ERROR_FIELDS, ID, NEXT_CURSOR, optional, PAGE } from '../../http/openapi/fields';
import { PageQuery } from '../../http/page-query';
import { MAX_REASON_LENGTH } from '../../provisioning/tenant-input';
import {
  CreateWebhookEndpointBody,
  RotateWebhookSecretBody,
  UpdateWebhookEndpointBody,
} from '../endpoints/webhook-endpoint.dto';
import { MAX_DESCRIPTION_LENGTH, MAX_TYPES } from '../endpoints/webhook-input';
import { WEBHOOK_ENDPOINT_STATUSES } from '../webhook-endpoint';
import { CheckedWebhooksOptions, MAX_SECRET_OVERLAP_MS } from '../webhooks.options';

/** What answers look like. In the code they are interfaces, which do not exist at run time. */
export class WebhookEndpointModel {}
export class ShownWebhookEndpointModel {}
export class WebhookEndpointPageModel {}
export class WebhookErrorModel {}

const URL = { type: String, format: 'uri', maxLength: 2_048, example: 'https://example.com/hooks' };
const TYPES = { type: String, isArray: true, maxItems: MAX_TYPES, example: ['order.*'] };
const DESCRIPTION = { type: String, maxLength: MAX_DESCRIPTION_LENGTH };
const STATUS = { type: String, enum: [...WEBHOOK_ENDPOINT_STATUSES] };
const MAYBE_DATE = { ...DATE, nullable: true };

const ENDPOINT = {
  id: ID,
  tenantId: ID,
  url: URL,
  types: { ...TYPES, description: 'Empty: all' },
  description: DESCRIPTION,
  status: STATUS,
  disabledReason: { type: String, nullable: true },
  firstFailedAt: { ...MAYBE_DATE, description: 'Since when nothing has arrived' },
  oldSecretExpiresAt: { ...MAYBE_DATE, description: 'Until when an old secret signs as well' },
  createdAt: DATE,
  updatedAt: DATE,
};

export const ENDPOINT_MODELS: readonly Model[] = [
  { type: WebhookEndpointModel, name: 'WebhookEndpoint', fields: ENDPOINT },
  {
    type: ShownWebhookEndpointModel,
    name: 'ShownWebhookEndpoint',
    fields: {
      ...ENDPOINT,
      secret: { type: String, nullable: true, description: 'Shown this once', example: 'whsec_…' },
    },
  },
  {
    type: WebhookEndpointPageModel,
    name: 'WebhookEndpointPage',
    fields: { data: { type: WebhookEndpointModel, isArray: true }, nextCursor: NEXT_CURSOR },
  },
  {
    type: CreateWebhookEndpointBody,
    name: 'CreateWebhookEndpoint',
    fields: {
      url: URL,
      types: optional({ ...TYPES, description: 'Default none: all' }),
      description: optional(DESCRIPTION),
    },
  },
  {
    type: UpdateWebhookEndpointBody,
    name: 'UpdateWebhookEndpoint',
    fields: {
      url: optional(URL),
      types: optional(TYPES),
      description: optional(DESCRIPTION),
      status: optional(STATUS),
    },
  },
  {
    type: RotateWebhookSecretBody,
    name: 'RotateWebhookSecret',
    fields: {
      overlapMs: optional({
        type: 'integer',
        minimum: 0,
        maximum: MAX_SECRET_OVERLAP_MS,
        default: new CheckedWebhooksOptions().secretOverlapMs,
      }),
      reason: optional({ type: String, maxLength: MAX_REASON_LENGTH }),
    },
  },
  { type: PageQuery, fields: PAGE },
];

export const WEBHOOK_MODELS: readonly Model[] = [
  ...ENDPOINT_MODELS,
  { type: WebhookErrorModel, name: 'WebhookError', fields: ERROR_FIELDS },
];

/** Answers with an `ETag`. */
export const TAGGED_ENDPOINTS = [WebhookEndpointModel, ShownWebhookEndpointModel];
