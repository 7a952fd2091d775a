import { type Names, unknownOptions } from '../common/known-names';
import { show } from '../common/show-value';
import { isMetric } from './metric';
import { InvalidUsageOptionsError } from './usage.errors';
import type { Quota, TenancyUsageOptions } from './usage.options';

const KNOWN: Names<TenancyUsageOptions> = {
  plans: true,
  defaultPlan: true,
  planOf: true,
  quotaStatus: true,
  warnAt: true,
  onQuotaWarning: true,
  flushIntervalMs: true,
};
const KNOWN_OF_QUOTAS: Names<Quota> = { limit: true, per: true, hard: true };

const MIN_FLUSH_MS = 10;
const MAX_FLUSH_MS = 3_600_000;

/** What the given options say, checked. */
export type CheckedUsageOptions = TenancyUsageOptions &
  Required<Pick<TenancyUsageOptions, 'plans' | 'defaultPlan' | 'quotaStatus' | 'warnAt' | 'flushIntervalMs'>>;

/** @throws InvalidUsageOptionsError naming all that is wrong, and the remedy */
export function checkUsageOptions(options: TenancyUsageOptions): CheckedUsageOptions {
  const checked = {
    quotaStatus: 402 as const,
    warnAt: 0.8,
    flushIntervalMs: 10_000,
    ...options,
    // Without plans everybody is on one without quotas.
    plans: options.plans ?? { none: {} },
    defaultPlan: options.plans === undefined ? 'none' : String(options.defaultPlan),
  };
  const problems = [...optionProblems(options, checked), ...planProblems(options)];
  if (problems.length > 0) throw new InvalidUsageOptionsError(problems);
  return checked;
}

function optionProblems(options: TenancyUsageOptions, checked: CheckedUsageOptions): string[] {
  const { planOf, onQuotaWarning, quotaStatus, warnAt, flushIntervalMs } = checked;
  const isFunctionIfGiven = (value: unknown) => value === undefined || typeof value === 'function';
  return [
    ...unknownOptions(options, KNOWN),
    ...unless(isFunctionIfGiven(planOf), 'planOf', planOf, 'give a function of a tenant'),
    ...unless(
      isFunctionIfGiven(onQuotaWarning),
      'onQuotaWarning',
      onQuotaWarning,
      'give a function of a warning',
    ),
    ...unless([402, 429].includes(quotaStatus), 'quotaStatus', quotaStatus, 'say 402 or 429'),
    ...unless(
      typeof warnAt === 'number' && warnAt > 0 && warnAt <= 1,
      'warnAt',
      warnAt,
      'give a number above 0, at most 1',
    ),
    ...unless(
      Number.isSafeInteger(flushIntervalMs) &&
        flushIntervalMs >= MIN_FLUSH_MS &&
        flushIntervalMs <= MAX_FLUSH_MS,
      'flushIntervalMs',
      flushIntervalMs,
      `give an integer from ${MIN_FLUSH_MS} to ${MAX_FLUSH_MS}`,
    ),
  ];
}

function planProblems({ plans, defaultPlan }: TenancyUsageOptions): string[] {
  if (plans === undefined)
    return unless(defaultPlan === undefined, 'defaultPlan', defaultPlan, 'there are no plans; give them');
  if (!isObject(plans)) return unless(false, 'plans', plans, 'give quotas by the names of plans');
  return [
    ...unless(
      typeof defaultPlan === 'string' && Object.hasOwn(plans, defaultPlan),
      'defaultPlan',
      defaultPlan,
      'name one of plans, for tenants without one',
    ),
    ...Object.entries(plans).flatMap(([plan, quotas]) =>
      isObject(quotas)
        ? Object.entries(quotas).flatMap(([metric, quota]) =>
            quotaProblems(`plans.${plan}.${metric}`, metric, quota),
          )
        : unless(false, `plans.${plan}`, quotas, 'give quotas by metrics, or {}'),
    ),
  ];
}

function quotaProblems(at: string, metric: string, quota: unknown): string[] {
  if (!isMetric(metric))
    return [`${at}: a metric has 1 to 100 characters of a-z A-Z 0-9 _ . -, a letter first`];
  if (!isObject(quota)) return unless(false, at, quota, 'give { limit, per, hard }');
  const { limit, per, hard = false } = quota as Record<string, unknown>;
  return [
    ...unknownOptions(quota, KNOWN_OF_QUOTAS, `${at}.`),
    ...unless(
      Number.isSafeInteger(limit) && Number(limit) >= 0,
      `${at}.limit`,
      limit,
      'give an integer from 0',
    ),
    ...unless(per === 'day' || per === 'month', `${at}.per`, per, "say 'day' or 'month'"),
    ...unless(typeof hard === 'boolean', `${at}.hard`, hard, 'say true or false'),
  ];
}

function unless(ok: boolean, option: string, value: unknown, remedy: string): string[] {
  return ok ? [] : [`${option} is ${show(value)}; ${remedy}`];
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
