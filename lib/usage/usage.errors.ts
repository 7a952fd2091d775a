import { HttpStatus } from '@nestjs/common';
import { InvalidOptionsError } from '../common/options/invalid-options.errors';
import { type FieldError, TenancyError } from '../common/tenancy.errors';
import { show } from '../common/show-value';
import type { Quota } from './usage.options';

/** What was asked for would exceed a hard quota of the tenant. Nothing was done, and nothing counted. */
export class QuotaExceededError extends TenancyError {
  readonly code = 'QUOTA_EXCEEDED';
  override readonly headers?: Readonly<Record<string, string>>;

  /** @param retryAfterSeconds until the quota's day or month ends */
  constructor(
    readonly metric: string,
    readonly quota: Quota,
    override readonly statusCode: 402 | 429,
    retryAfterSeconds: number,
  ) {
    super(`The quota of ${quota.limit} "${metric}" a ${quota.per} is used up.`);
    if (statusCode === 429) this.headers = { 'Retry-After': String(retryAfterSeconds) };
  }
}

/** Code counts something under a name, or by an amount, that cannot be counted. */
export class InvalidMetricError extends TenancyError {
  readonly code = 'METRIC_INVALID';
  override readonly statusCode = HttpStatus.INTERNAL_SERVER_ERROR;

  constructor(what: string, given: unknown, remedy: string) {
    super(`The ${what} of what is counted is ${show(given)}: ${remedy}`);
  }
}

/** The module was configured with something that it cannot work by. Thrown at start; all that is wrong is named. */
export class InvalidUsageOptionsError extends InvalidOptionsError {
  readonly code = 'USAGE_OPTIONS_INVALID';

  constructor(problems: readonly FieldError[]) {
    super('TenancyUsageModule', problems);
  }
}
