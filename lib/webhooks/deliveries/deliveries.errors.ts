import { HttpStatus } from '@nestjs/common';
import { TenancyError } from '../../common/tenancy.errors';

/** The tenant's endpoint has no such delivery, or it was removed since. */
export class WebhookDeliveryNotFoundError extends TenancyError {
  readonly code = 'WEBHOOK_DELIVERY_NOT_FOUND';
  override readonly statusCode = HttpStatus.NOT_FOUND;

  constructor() {
    super('There is no such delivery of this endpoint. Old ones are removed.');
  }
}

/** Nothing is sent to a disabled endpoint. */
export class WebhookDisabledError extends TenancyError {
  readonly code = 'WEBHOOK_DISABLED';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor() {
    super('The endpoint is disabled, so nothing is sent to it. Enable it first.');
  }
}

/** The tenant has no endpoint of this id. */
export class WebhookEndpointNotFoundError extends TenancyError {
  readonly code = 'WEBHOOK_ENDPOINT_NOT_FOUND';
  override readonly statusCode = HttpStatus.NOT_FOUND;

  constructor() {
    super('The tenant has no webhook endpoint of this id.');
  }
}
