import { anything, callback, isPlainObject, kind, oneOf, waiting, withMethod } from '../common/options/kinds';
import { type Given, Option, OptionsRule } from '../common/options/option.decorator';
import type { Tenant } from '../registry/tenant';
import { defaultPlanProblem, type PlanReader } from '../registry/tenant-plans';
import { rateLimitProblems, type RateLimits, type TenantRateLimits } from './rate-limit';
import type { RateLimitStorage } from './rate-limit-storage';

export const THROTTLING_OPTIONS = Symbol('THROTTLING_OPTIONS');

type LimitsOf = (tenant: Tenant) => TenantRateLimits | undefined;

@OptionsRule<CheckedThrottlingOptions>(({ plans, defaultPlan }) => [defaultPlanProblem(plans, defaultPlan)])
export class CheckedThrottlingOptions {
  /** The rate limits of each plan, by the plan's name. */
  @Option(
    kind<Readonly<Record<string, RateLimits>>>('give rate limits by the names of plans', isPlainObject, {
      inside: (plans, path) =>
        Object.entries(plans as object).flatMap(([plan, limits]: [string, unknown]) =>
          rateLimitProblems(limits, `${path}.${plan}`),
        ),
    }),
    { required: true },
  )
  readonly plans!: Readonly<Record<string, RateLimits>>;

  /** One of `plans`, for tenants whose plan is missing or unknown, such as a plan that was removed while in use. */
  @Option(anything<string>())
  readonly defaultPlan!: string;

  /** Returns the name of a tenant's plan. Default its `metadata.plan`. */
  @Option(callback<PlanReader>('give a function of a tenant'))
  readonly planOf?: PlanReader;

  /**
   * Returns rate limits that one tenant has in addition to, or instead of, those of its plan. Called for every request.
   * Default none.
   */
  @Option(callback<LimitsOf>('give a function of a tenant'))
  readonly limitsOf?: LimitsOf;

  /**
   * Where counts are stored. Default `new MemoryRateLimits()`, with which each instance counts for itself. With `new
   * RedisRateLimits(client)` the instances share their counts.
   */
  @Option(
    withMethod<RateLimitStorage>(
      'take',
      'give a MemoryRateLimits, a RedisRateLimits or another RateLimitStorage',
    ),
  )
  readonly storage?: RateLimitStorage;

  /**
   * What happens to requests that cannot be counted: `allow` lets them pass, `refuse` answers 503
   * `TENANCY_UNAVAILABLE`. Default `allow`. A limit of 0 refuses in either case.
   */
  @Option(oneOf('allow', 'refuse'))
  readonly whenUnavailable: 'allow' | 'refuse' = 'allow';

  /** How long a request waits for the storage, in milliseconds, an integer from 1. Default 500. */
  @Option(waiting(1))
  readonly timeoutMs: number = 500;
}

export type TenancyThrottlingOptions = Given<Omit<CheckedThrottlingOptions, 'plans' | 'defaultPlan'>> &
  Pick<CheckedThrottlingOptions, 'plans' | 'defaultPlan'>;
