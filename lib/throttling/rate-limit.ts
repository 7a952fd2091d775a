import { problemsOf } from '../common/options/check-options';
import { integer, isPlainObject, milliseconds } from '../common/options/kinds';
import { Option } from '../common/options/option.decorator';
import { show } from '../common/show-value';
import type { FieldError } from '../common/tenancy.errors';

const YEAR_MS = 365 * 86_400_000;

/** So much in each window. A window begins with the first request in it. */
export class RateLimit {
  /** The weights of the requests in one window together, an integer from 0. 0 refuses all. */
  @Option(integer(0), { required: true })
  readonly limit!: number;

  /** Milliseconds, an integer from 1,000 to 31,536,000,000 (a year). */
  @Option(milliseconds(1_000, YEAR_MS), { required: true })
  readonly windowMs!: number;
}

/**
 * Limits by their names: 1 to 64 characters of `a-z A-Z 0-9 _ -`. All of them hold at once; none is no limit. A tenant
 * has one count under each name, whatever the route.
 */
export type RateLimits = Readonly<Record<string, RateLimit>>;

/** Limits of one tenant: instead of those that its plan has under the same name; `null` lifts one. */
export type TenantRateLimits = Readonly<Record<string, RateLimit | null>>;

/** They go into a header and into keys. */
const LIMIT_NAME = /^[\w-]{1,64}$/;

/** What is wrong with some limits. */
export function limitProblems(limits: unknown, path: string): FieldError[] {
  if (!isPlainObject(limits))
    return [{ field: path, message: `is ${show(limits)}: give limits by their names, or {}` }];
  return Object.entries(limits).flatMap(([name, rate]) =>
    LIMIT_NAME.test(name)
      ? problemsOf(RateLimit, rate, `${path}.${name}`)
      : [
          {
            field: path,
            message: `has a limit named ${show(name)}: a limit's name has 1 to 64 characters of a-z A-Z 0-9 _ -`,
          },
        ],
  );
}
