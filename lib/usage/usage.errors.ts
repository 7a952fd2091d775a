import { HttpStatus } from '@nestjs/common';
import { InvalidOptionsError } from '../common/options/invalid-options.errors';
import { type FieldError, TenancyError } from '../common/tenancy.errors';
import { show } from '../common/show-value';
import type { Quota } from './usage.options';

/** The request would exceed a hard quota of the tenant. Nothing was done, and nothing was counted. */
export class QuotaExceededError extends TenancyError {
  readonly code = 'QUOTA_EXCEEDED';
  override readonly headers?: Readonly<Record<string, string>>;

  /** @param retryAfterSeconds until the quota's day or month ends; none where waiting changes nothing */
  constructor(
    readonly metric: string,
    readonly quota: Quota,
    override readonly statusCode: 402 | 429,
    retryAfterSeconds?: number,
  ) {
    super(
      `The quota of ${quota.limit} "${metric}"${quota.per === 'total' ? '' : ` a ${quota.per}`} is used up.`,
    );
    if (statusCode === 429 && retryAfterSeconds !== undefined)
      this.headers = { 'Retry-After': String(retryAfterSeconds) };
  }
}

/** Code counts with a name or an amount that is not allowed. */
export class InvalidMetricError extends TenancyError {
  readonly code = 'METRIC_INVALID';
  override readonly statusCode = HttpStatus.INTERNAL_SERVER_ERROR;

  constructor(what: string, given: unknown, remedy: string) {
    super(`The ${what} to be counted is ${show(given)}: ${remedy}`);
  }
}

/** The module cannot work with its options. Thrown at the start, and names everything that is wrong. */
export class InvalidUsageOptionsError extends InvalidOptionsError {
  readonly code = 'USAGE_OPTIONS_INVALID';

  constructor(problems: readonly FieldError[]) {
    super('TenancyUsageModule', problems);
  }
}
