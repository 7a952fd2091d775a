import { ValidationFailedError } from '../../common/tenancy.errors';
import { PageQuery } from '../../http/page-query';
import { IfGiven, IsIn, IsString, Matches } from '../../http/validation';
import { WEBHOOK_DELIVERY_STATUSES, type WebhookDeliveryStatus } from '../webhook-delivery';

export class DeliveriesQuery extends PageQuery {
  @IfGiven()
  @IsIn(WEBHOOK_DELIVERY_STATUSES)
  status?: WebhookDeliveryStatus;
}

/** As `new Date().toISOString()` writes it, or with another offset: without one, nobody knows when it is. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/;
const TIME_RULE = { message: 'must be a time such as 2026-11-30T12:00:00Z' };

export class ResendWebhooksBody {
  @IsString()
  @Matches(TIME, TIME_RULE)
  since!: string;

  @IfGiven()
  @IsIn(['dead', 'delivered'])
  status?: 'dead' | 'delivered';
}

/** @throws ValidationFailedError for a day that no calendar has */
export function timeOf(since: string): Date {
  const time = new Date(since);
  if (!Number.isNaN(time.getTime())) return time;
  throw new ValidationFailedError([{ field: 'since', ...TIME_RULE }]);
}
