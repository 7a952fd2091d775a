import { anything, callback, isPlainObject, kind, oneOf, waiting, withMethod } from '../common/options/kinds';
import { type Given, Option, OptionsRule } from '../common/options/option.decorator';
import type { Tenant } from '../registry/tenant';
import { defaultPlanProblem, type PlanReader } from '../registry/tenant-plans';
import { limitProblems, type RateLimits, type TenantRateLimits } from './rate-limit';
import type { RateLimitStorage } from './rate-limit-storage';

export const THROTTLING_OPTIONS = Symbol('THROTTLING_OPTIONS');

type LimitsOf = (tenant: Tenant) => TenantRateLimits | undefined;

@OptionsRule<CheckedThrottlingOptions>(({ plans, defaultPlan }) => [defaultPlanProblem(plans, defaultPlan)])
export class CheckedThrottlingOptions {
  /** What each plan grants, by its name. */
  @Option(
    kind<Readonly<Record<string, RateLimits>>>('give limits by the names of plans', isPlainObject, {
      inside: (plans, path) =>
        Object.entries(plans as object).flatMap(([plan, limits]: [string, unknown]) =>
          limitProblems(limits, `${path}.${plan}`),
        ),
    }),
    { required: true },
  )
  readonly plans!: Readonly<Record<string, RateLimits>>;

  /** One of `plans`: for tenants that name none, or one that is not there, such as a plan that was removed while in use. */
  @Option(anything<string>())
  readonly defaultPlan!: string;

  /** Which plan a tenant has. Default its `metadata.plan`. */
  @Option(callback<PlanReader>('give a function of a tenant'))
  readonly planOf?: PlanReader;

  /** What one tenant has besides, or instead of, the limits of its plan. Asked with every request. Default none. */
  @Option(callback<LimitsOf>('give a function of a tenant'))
  readonly limitsOf?: LimitsOf;

  /**
   * Where the counts are. Default `new MemoryRateLimits()`, so each instance counts for itself. Instances share what is
   * in `new RedisRateLimits(client)`.
   */
  @Option(
    withMethod<RateLimitStorage>(
      'take',
      'give a MemoryRateLimits, a RedisRateLimits or another RateLimitStorage',
    ),
  )
  readonly storage?: RateLimitStorage;

  /**
   * What becomes of requests that cannot be counted: `allow` lets them pass, `refuse` answers 503 `TENANCY_UNAVAILABLE`.
   * Default `allow`. A limit of 0 refuses in either case.
   */
  @Option(oneOf('allow', 'refuse'))
  readonly whenUnavailable: 'allow' | 'refuse' = 'allow';

  /** How long a request waits for the storage, in milliseconds, an integer from 1. Default 500. */
  @Option(waiting(1))
  readonly timeoutMs: number = 500;
}

export type TenancyThrottlingOptions = Given<Omit<CheckedThrottlingOptions, 'plans' | 'defaultPlan'>> &
  Pick<CheckedThrottlingOptions, 'plans' | 'defaultPlan'>;
