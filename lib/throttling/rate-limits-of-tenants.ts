import { Inject, Injectable } from '@nestjs/common';
import type { Tenant } from '../registry/tenant';
import { TenantPlans } from '../registry/tenant-plans';
import { InvalidThrottlingOptionsError } from './throttling.errors';
import { rateLimitProblems, type RateLimits } from './rate-limit';
import { type CheckedThrottlingOptions, THROTTLING_OPTIONS } from './throttling.options';

/** Which rate limits a tenant has at this moment. */
@Injectable()
export class RateLimitsOfTenants {
  readonly #plans: TenantPlans<RateLimits>;

  constructor(@Inject(THROTTLING_OPTIONS) private readonly options: CheckedThrottlingOptions) {
    this.#plans = new TenantPlans(options);
  }

  /**
   * Returns the same object for all tenants that have only the limits of their plan.
   *
   * @throws InvalidThrottlingOptionsError when `limitsOf` returned something else than rate limits
   */
  of(tenant: Tenant): RateLimits {
    const planned = this.#plans.termsOf(tenant);
    const own = this.options.limitsOf?.(tenant);
    if (own === undefined) return planned;
    const given = Object.fromEntries(Object.entries(own).filter(([, rate]) => rate !== null));
    const problems = rateLimitProblems(given, 'limitsOf()');
    if (problems.length > 0) throw new InvalidThrottlingOptionsError(problems);
    const kept = Object.entries(planned).filter(([name]) => !Object.hasOwn(own, name));
    return { ...Object.fromEntries(kept), ...(given as RateLimits) };
  }
}
