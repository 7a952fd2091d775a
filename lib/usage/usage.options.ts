import type { Tenant } from '../registry/tenant';
import type { PlanReader } from '../registry/tenant-plans';

export const USAGE_OPTIONS = Symbol('USAGE_OPTIONS');

/** Token of what says which moment it is: a function that gives a `Date`. Default: PostgreSQL's time. */
export const USAGE_TIME = Symbol('USAGE_TIME');

export type QuotaPeriod = 'day' | 'month';

/** How much of a metric a tenant may use in a day or a month, in UTC. */
export interface Quota {
  /** An integer from 0. */
  readonly limit: number;
  readonly per: QuotaPeriod;
  /** Whether what exceeds it is refused. Default false: it is only told of. */
  readonly hard?: boolean;
}

/** Quotas by metrics. A metric without one is counted without end. */
export type Quotas = Readonly<Record<string, Quota>>;

/** A tenant has come near the end of a quota, or to it. */
export interface QuotaWarning {
  readonly tenant: Tenant;
  readonly metric: string;
  readonly quota: Quota;
  /** Of this day or month, as of now. */
  readonly used: number;
}

export interface TenancyUsageOptions {
  /** The quotas of each plan, by its name. Default: there are none. */
  readonly plans?: Readonly<Record<string, Quotas>>;
  /** One of `plans`: for tenants that name none, or one that is not there. Needed with `plans`. */
  readonly defaultPlan?: string;
  /** Which plan a tenant has. Default: its `metadata.plan`. */
  readonly planOf?: PlanReader;
  /** The status of `QUOTA_EXCEEDED`: 402 (Payment Required) or 429 (Too Many Requests). Default 402. */
  readonly quotaStatus?: 402 | 429;
  /** The part of a quota at which `onQuotaWarning` is called: more than 0, at most 1. Default 0.8. */
  readonly warnAt?: number;
  /** Called once for each quota in each of its periods, by the instance whose count came there. It may fail: that is logged. */
  readonly onQuotaWarning?: (warning: QuotaWarning) => void | Promise<void>;
  /**
   * How long counts are gathered before they are written, in milliseconds: an integer from 10 to 3,600,000. A crash loses
   * what was counted since. Default 10,000.
   */
  readonly flushIntervalMs?: number;
}
