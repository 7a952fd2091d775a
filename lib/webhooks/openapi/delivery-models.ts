import type { Model } from '../../http/openapi/describe-api';
import { DATE, ID, NEXT_CURSOR, optional, PAGE } from '../../http/openapi/fields';
import { DeliveriesQuery, ResendWebhooksBody } from '../deliveries/delivery.dto';
import { WEBHOOK_DELIVERY_STATUSES } from '../webhook-delivery';

/** What answers look like. In the code they are interfaces, which do not exist at run time. */
export class WebhookDeliveryModel {}
export class WebhookAttemptModel {}
export class WebhookDeliveryDetailsModel {}
export class WebhookDeliveryPageModel {}
export class ResentWebhooksModel {}

const STATUS = { type: String, enum: [...WEBHOOK_DELIVERY_STATUSES] };

const DELIVERY = {
  id: ID,
  endpointId: ID,
  tenantId: ID,
  eventId: { ...ID, description: 'The webhook-id of each attempt' },
  type: { type: String, example: 'order.shipped' },
  status: STATUS,
  attempt: { type: 'integer', description: 'How many were made since it was made or sent again' },
  nextAttemptAt: DATE,
  createdAt: DATE,
  finishedAt: { ...DATE, nullable: true, description: 'When it arrived or was given up' },
};

export const DELIVERY_MODELS: readonly Model[] = [
  { type: WebhookDeliveryModel, name: 'WebhookDelivery', fields: DELIVERY },
  {
    type: WebhookAttemptModel,
    name: 'WebhookAttempt',
    fields: {
      at: DATE,
      status: { type: 'integer', nullable: true, description: 'Of the answer' },
      durationMs: { type: 'integer' },
      error: { type: String, nullable: true, description: 'Why there was no answer' },
    },
  },
  {
    type: WebhookDeliveryDetailsModel,
    name: 'WebhookDeliveryDetails',
    fields: { ...DELIVERY, attempts: { type: WebhookAttemptModel, isArray: true } },
  },
  {
    type: WebhookDeliveryPageModel,
    name: 'WebhookDeliveryPage',
    fields: { data: { type: WebhookDeliveryModel, isArray: true }, nextCursor: NEXT_CURSOR },
  },
  { type: ResentWebhooksModel, name: 'ResentWebhooks', fields: { count: { type: 'integer' } } },
  {
    type: ResendWebhooksBody,
    name: 'ResendWebhooks',
    fields: {
      since: { ...DATE, description: 'Deliveries that were made at this time or later' },
      status: optional({ type: String, enum: ['dead', 'delivered'], default: 'dead' }),
    },
  },
  { type: DeliveriesQuery, fields: { ...PAGE, status: optional(STATUS) } },
];
