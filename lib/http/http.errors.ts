import { HttpStatus } from '@nestjs/common';
import { TenancyError } from '../common/tenancy.errors';

/** The key of an earlier request was sent with another body. */
export class IdempotencyKeyReusedError extends TenancyError {
  readonly code = 'IDEMPOTENCY_KEY_REUSED';
  override readonly statusCode = HttpStatus.UNPROCESSABLE_ENTITY;

  constructor() {
    super('This Idempotency-Key was used for another body. Send a new key with a new request.');
  }
}

/** The first request with this key has no answer yet. */
export class IdempotencyInProgressError extends TenancyError {
  readonly code = 'IDEMPOTENCY_IN_PROGRESS';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor() {
    super('The first request with this Idempotency-Key is still running. Try again shortly.');
  }
}

/** The body has another media type than JSON. */
export class UnsupportedMediaTypeError extends TenancyError {
  readonly code = 'UNSUPPORTED_MEDIA_TYPE';
  override readonly statusCode = HttpStatus.UNSUPPORTED_MEDIA_TYPE;

  constructor(readonly accepted: readonly string[]) {
    super(`The call does not take a body of this type. Send it as ${accepted.join(' or ')}.`);
  }
}

/** The body is larger than the application's body parser accepts. */
export class BodyTooLargeError extends TenancyError {
  readonly code = 'BODY_TOO_LARGE';
  override readonly statusCode = HttpStatus.PAYLOAD_TOO_LARGE;

  constructor() {
    super(
      'The body is larger than this application accepts. Send less, or raise the limit of its body parser.',
    );
  }
}

/** The error that answered the first request with an `Idempotency-Key`, thrown again. */
export class RepeatedError extends TenancyError {
  readonly code: string;
  override readonly statusCode: number;

  constructor(
    statusCode: number,
    private readonly body: Readonly<Record<string, unknown>>,
  ) {
    super(String(body.message));
    this.code = String(body.code);
    this.statusCode = statusCode;
  }

  override getResponse(): Record<string, unknown> {
    return { ...this.body };
  }
}
