import { HttpStatus } from '@nestjs/common';
import { InvalidOptionsError } from '../common/options/invalid-options.errors';
import { type FieldError, TenancyError } from '../common/tenancy.errors';

/** The tenant has used up one of its rate limits. */
export class RateLimitedError extends TenancyError {
  readonly code = 'RATE_LIMITED';
  override readonly statusCode = HttpStatus.TOO_MANY_REQUESTS;
  override readonly headers: Readonly<Record<string, string>>;

  /** @param limitName the limit that was used up. Limits with longer windows were not counted */
  constructor(
    readonly limitName: string,
    readonly retryAfterSeconds: number,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(`Too many requests (limit "${limitName}"). Try again in ${retryAfterSeconds} seconds.`);
    this.headers = { ...headers, 'Retry-After': String(retryAfterSeconds) };
  }
}

/** The module cannot work with its options. Thrown at the start, and names everything that is wrong. */
export class InvalidThrottlingOptionsError extends InvalidOptionsError {
  readonly code = 'THROTTLING_OPTIONS_INVALID';

  constructor(problems: readonly FieldError[]) {
    super('TenancyThrottlingModule', problems);
  }
}
