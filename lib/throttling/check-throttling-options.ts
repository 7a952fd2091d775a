import { type Names, unknownOptions } from '../common/known-names';
import { show } from '../common/show-value';
import { InvalidThrottlingOptionsError } from './throttling.errors';
import type { RateLimits, TenantRateLimits } from './rate-limit';
import type { TenancyThrottlingOptions } from './throttling.options';

const KNOWN: Names<TenancyThrottlingOptions> = {
  plans: true,
  defaultPlan: true,
  planOf: true,
  limitsOf: true,
  storage: true,
  whenUnavailable: true,
  timeoutMs: true,
};

/** They go into a header and into keys. */
const LIMIT_NAME = /^[\w-]{1,64}$/;
const MIN_WINDOW_MS = 1_000;
const MAX_WINDOW_MS = 365 * 86_400_000;

/** Node's timers fire at once when told to wait longer. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** @throws InvalidThrottlingOptionsError naming all that is wrong, and the remedy */
export function checkThrottlingOptions(options: TenancyThrottlingOptions): TenancyThrottlingOptions {
  const problems = problemsOf(options ?? {});
  if (problems.length > 0) throw new InvalidThrottlingOptionsError(problems);
  return options;
}

function problemsOf(options: TenancyThrottlingOptions): string[] {
  const { plans, defaultPlan, planOf, limitsOf, storage, whenUnavailable = 'allow', timeoutMs = 1 } = options;
  const problems = unknownOptions(options, KNOWN);
  const must = (ok: boolean, problem: string) => {
    if (!ok) problems.push(problem);
  };
  if (!isObject(plans)) must(false, `plans is ${show(plans)}; give limits by the names of plans`);
  else {
    for (const [plan, limits] of Object.entries(plans))
      problems.push(...limitProblems(`plans.${plan}`, limits));
    must(
      Object.hasOwn(plans, String(defaultPlan)),
      `defaultPlan is ${show(defaultPlan)}; name one of plans, for tenants without one`,
    );
  }
  must(isFunctionIfGiven(planOf), `planOf is ${show(planOf)}; give a function of a tenant`);
  must(isFunctionIfGiven(limitsOf), `limitsOf is ${show(limitsOf)}; give a function of a tenant`);
  must(
    storage === undefined || typeof (storage as Partial<typeof storage>).take === 'function',
    `storage is ${show(storage)}; give a MemoryRateLimits, a RedisRateLimits or another RateLimitStorage`,
  );
  must(
    whenUnavailable === 'allow' || whenUnavailable === 'refuse',
    `whenUnavailable is ${show(whenUnavailable)}; say 'allow' or 'refuse'`,
  );
  must(
    isInteger(timeoutMs, 1, MAX_TIMEOUT_MS),
    `timeoutMs is ${show(timeoutMs)}; give an integer from 1 to ${MAX_TIMEOUT_MS}`,
  );
  return problems;
}

/** What is wrong with some limits, a sentence each. */
export function limitProblems(where: string, limits: RateLimits | TenantRateLimits): string[] {
  if (!isObject(limits)) return [`${where} is ${show(limits)}; give limits by their names, or {}`];
  return Object.entries(limits).flatMap(([name, rate]) => {
    const at = `${where}.${name}`;
    if (!LIMIT_NAME.test(name)) return [`${at}: a limit's name has 1 to 64 characters of a-z A-Z 0-9 _ -`];
    if (!isObject(rate)) return [`${at} is ${show(rate)}; give { limit, windowMs }`];
    const { limit, windowMs } = rate;
    return [
      ...(isInteger(limit, 0, Number.MAX_SAFE_INTEGER)
        ? []
        : [`${at}.limit is ${show(limit)}; give an integer from 0`]),
      ...(isInteger(windowMs, MIN_WINDOW_MS, MAX_WINDOW_MS)
        ? []
        : [`${at}.windowMs is ${show(windowMs)}; give an integer from ${MIN_WINDOW_MS} to ${MAX_WINDOW_MS}`]),
    ];
  });
}

function isInteger(value: unknown, from: number, to: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= from && (value as number) <= to;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isFunctionIfGiven(value: unknown): boolean {
  return value === undefined || typeof value === 'function';
}
