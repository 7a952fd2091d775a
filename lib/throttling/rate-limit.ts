import { problemsOf } from '../common/options/check-options';
import { integer, isPlainObject, milliseconds } from '../common/options/kinds';
import { Option } from '../common/options/option.decorator';
import { show } from '../common/show-value';
import type { FieldError } from '../common/tenancy.errors';

const YEAR_MS = 365 * 86_400_000;

/** How much is allowed in each window. A window begins with the first request after the last one ended. */
export class RateLimit {
  /** The sum of the weights of the requests in one window, an integer from 0. 0 refuses all. */
  @Option(integer(0), { required: true })
  readonly limit!: number;

  /** Milliseconds, an integer from 1,000 to 31,536,000,000 (a year). */
  @Option(milliseconds(1_000, YEAR_MS), { required: true })
  readonly windowMs!: number;
}

/**
 * Rate limits by name: 1 to 64 characters of `a-z A-Z 0-9 _ -`. All of them apply at once; an empty object means no
 * limit. A tenant has one count for each name, over all routes.
 */
export type RateLimits = Readonly<Record<string, RateLimit>>;

/** Rate limits of one tenant. They replace those of its plan with the same name; `null` removes one. */
export type TenantRateLimits = Readonly<Record<string, RateLimit | null>>;

/** Names become part of a header and of keys. */
const LIMIT_NAME = /^[\w-]{1,64}$/;

/** What is wrong with these rate limits. */
export function rateLimitProblems(limits: unknown, path: string): FieldError[] {
  if (!isPlainObject(limits))
    return [{ field: path, message: `is ${show(limits)}: give rate limits by their names, or {}` }];
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
