import { problemsOf } from '../common/options/check-options';
import {
  anything,
  callback,
  flag,
  integer,
  isPlainObject,
  kind,
  milliseconds,
  oneOf,
} from '../common/options/kinds';
import { type Given, Option, OptionsRule } from '../common/options/option.decorator';
import { show } from '../common/show-value';
import type { FieldError } from '../common/tenancy.errors';
import type { Tenant } from '../registry/tenant';
import { defaultPlanProblem, type PlanReader } from '../registry/tenant-plans';

export const USAGE_OPTIONS = Symbol('USAGE_OPTIONS');

/** Token of a function that returns the current time as a `Date`. Default: PostgreSQL's time. */
export const USAGE_TIME = Symbol('USAGE_TIME');

export type QuotaPeriod = 'day' | 'month' | 'total';

/** What modules of ours keep, and so count themselves. */
const KEPT = ['members'];

/** As in `orders.created`. Only ASCII, so that no two names look alike. */
const METRIC = /^[A-Za-z][\w.-]{0,99}$/;

export const METRIC_RULE = '1 to 100 characters of a-z A-Z 0-9 _ . -, a letter first';

export function isMetric(name: unknown): name is string {
  return typeof name === 'string' && METRIC.test(name);
}

/**
 * How much of a metric a tenant may use in a day or a month, in UTC; or, with `total`, how many of what a module of ours
 * keeps it may have at a time: `members`.
 */
export class Quota {
  /** An integer from 0. */
  @Option(integer(0), { required: true })
  readonly limit!: number;

  @Option(oneOf('day', 'month', 'total'), { required: true })
  readonly per!: QuotaPeriod;

  /** Whether requests that exceed it are refused. Default false: it only leads to a warning. */
  @Option(flag())
  readonly hard?: boolean;
}

/** Quotas by metric. Metrics without one are counted without a limit. */
export type Quotas = Readonly<Record<string, Quota>>;

/** A tenant has almost or fully used a quota. */
export interface QuotaWarning {
  readonly tenant: Tenant;
  readonly metric: string;
  readonly quota: Quota;
  /** How much was used in the current day or month. */
  readonly used: number;
}

@OptionsRule<CheckedUsageOptions>((_options, { plans, defaultPlan }) => [
  plans === undefined &&
    defaultPlan !== undefined && {
      field: 'defaultPlan',
      message: `is ${show(defaultPlan)}, but there are no plans: give plans, too`,
    },
  defaultPlanProblem(plans, defaultPlan),
])
export class CheckedUsageOptions {
  /** The quotas of each plan, by the plan's name. Default none. */
  @Option(
    kind<Readonly<Record<string, Quotas>>>('give quotas by the names of plans', isPlainObject, {
      inside: plansProblems,
    }),
  )
  // Without plans, every tenant is on one that has no quotas.
  readonly plans: Readonly<Record<string, Quotas>> = { none: {} };

  /** One of `plans`, for tenants whose plan is missing or unknown. Default none; required with `plans`. */
  @Option(anything<string>())
  readonly defaultPlan: string = 'none';

  /** Returns the name of a tenant's plan. Default its `metadata.plan`. */
  @Option(callback<PlanReader>('give a function of a tenant'))
  readonly planOf?: PlanReader;

  /** The status of `QUOTA_EXCEEDED`: 402 (Payment Required) or 429 (Too Many Requests). Default 402. */
  @Option(oneOf(402, 429))
  readonly quotaStatus: 402 | 429 = 402;

  /** The part of a quota at which `onQuotaWarning` is called: more than 0, at most 1. Default 0.8. */
  @Option(
    kind<number>(
      'give a number above 0, at most 1',
      (value) => typeof value === 'number' && value > 0 && value <= 1,
    ),
  )
  readonly warnAt: number = 0.8;

  /**
   * Called once for each quota in each of its periods, by the instance whose count reached that part. An error that it
   * throws is logged. Default none.
   */
  @Option(callback<QuotaWarned>('give a function of a warning'))
  readonly onQuotaWarning?: QuotaWarned;

  /**
   * How long counts are gathered before they are written, in milliseconds: an integer from 10 to 3,600,000. A crash
   * loses the counts that are not written yet. Default 10,000.
   */
  @Option(milliseconds(10, 3_600_000))
  readonly flushIntervalMs: number = 10_000;
}

export type TenancyUsageOptions = Given<CheckedUsageOptions>;

/** Options that are given where the module is imported. */
export class CheckedUsageExtras {
  /** Whether the route `GET /tenant/usage` exists. Default true. Without it write your own, with `UsageReports`. */
  @Option(flag())
  readonly routes: boolean = true;
}

export type TenancyUsageExtras = Given<CheckedUsageExtras>;

type QuotaWarned = (warning: QuotaWarning) => void | Promise<void>;

function plansProblems(plans: unknown, path: string): FieldError[] {
  return Object.entries(plans as object).flatMap(([plan, quotas]: [string, unknown]) =>
    isPlainObject(quotas)
      ? Object.entries(quotas).flatMap(([metric, quota]) =>
          METRIC.test(metric)
            ? quotaProblems(metric, quota, `${path}.${plan}.${metric}`)
            : [{ field: `${path}.${plan}.${metric}`, message: NO_METRIC }],
        )
      : [{ field: `${path}.${plan}`, message: `is ${show(quotas)}: give quotas by metrics, or {}` }],
  );
}

function quotaProblems(metric: string, quota: unknown, path: string): FieldError[] {
  const problems = problemsOf(Quota, quota, path);
  if (problems.length > 0 || (quota as Quota).per !== 'total' || KEPT.includes(metric)) return problems;
  const message = `is 'total', which is for ${KEPT.join(', ')} alone: say 'day' or 'month'`;
  return [{ field: `${path}.per`, message }];
}

const NO_METRIC = `cannot be counted: a metric has ${METRIC_RULE}`;
