import { Inject, Injectable } from '@nestjs/common';
import type { Tenant } from '../registry/tenant';
import { TenantPlans } from '../registry/tenant-plans';
import { InvalidThrottlingOptionsError } from './throttling.errors';
import { limitProblems, type RateLimit, type RateLimits } from './rate-limit';
import { type CheckedThrottlingOptions, THROTTLING_OPTIONS } from './throttling.options';

/** A limit and its name. */
export type NamedRateLimit = readonly [name: string, rate: RateLimit];

/** Which limits a tenant has at this moment. */
@Injectable()
export class RateLimitsOfTenants {
  readonly #plans: TenantPlans<RateLimits>;
  readonly #sorted = new WeakMap<RateLimits, readonly NamedRateLimit[]>();

  constructor(@Inject(THROTTLING_OPTIONS) private readonly options: CheckedThrottlingOptions) {
    this.#plans = new TenantPlans(options);
  }

  /**
   * The shortest window first: what it refuses takes nothing from the longer ones.
   *
   * @throws InvalidThrottlingOptionsError when `limitsOf` gave something that is no limits
   */
  of(tenant: Tenant): readonly NamedRateLimit[] {
    const planned = this.#plans.termsOf(tenant);
    const own = this.options.limitsOf?.(tenant);
    if (own === undefined) return this.#inOrder(planned);
    const given = Object.fromEntries(Object.entries(own).filter(([, rate]) => rate !== null));
    const problems = limitProblems(given, 'limitsOf()');
    if (problems.length > 0) throw new InvalidThrottlingOptionsError(problems);
    const kept = Object.entries(planned).filter(([name]) => !Object.hasOwn(own, name));
    return inOrder({ ...Object.fromEntries(kept), ...(given as RateLimits) });
  }

  #inOrder(limits: RateLimits): readonly NamedRateLimit[] {
    const known = this.#sorted.get(limits);
    if (known) return known;
    const sorted = inOrder(limits);
    this.#sorted.set(limits, sorted);
    return sorted;
  }
}

function inOrder(limits: RateLimits): readonly NamedRateLimit[] {
  return Object.entries(limits).sort(([, one], [, other]) => one.windowMs - other.windowMs);
}
