import { integer, kind, oneOf, text } from '../common/options/kinds';
import { type Given, Option } from '../common/options/option.decorator';
import type { Tenant } from '../registry/tenant';
import { isTypePatterns, MAX_PATTERNS, PATTERN_RULE } from './type-patterns';

/** For how many tenants a follower works at once in one instance: each costs a place in memory for its events. */
const MAX_CONCURRENCY = 100;

/** How many events of a tenant are read at once, which is as many as a call may be given. */
export const PAGE_SIZE = 100;

/** What followers are called. */
export const FOLLOWER_NAME = text(
  'give 1 to 100 characters, none of them a control character',
  (name) => name.length > 0 && name.length <= 100 && !/[\p{Cc}\p{Cs}]/u.test(name),
);

/** What `@OnTenantEvent()` and `EventFollower.follow()` have in common. */
export class FollowerOptions {
  /** Which types, such as `order.shipped`, or `order.*` for all that happens to orders; at most 50. Default all. */
  @Option(kind<readonly string[]>(`give at most ${MAX_PATTERNS}, each ${PATTERN_RULE}`, isTypePatterns))
  readonly types: readonly string[] = [];

  /** Where a follower begins whose name is new: with what happens from `now` on, or at the trail's `beginning`. Default `now`. */
  @Option(oneOf<FollowFrom>('now', 'beginning'))
  readonly from: FollowFrom = 'now';

  /**
   * `tenant`: each call runs in its tenant's context, while that is active. Events of one that is not are kept until it is,
   * and those of one that is purged are dropped; those of no tenant do not come. `system`: calls run for no tenant, and
   * get the events of all, whatever their status, and those of no tenant. Default `tenant`.
   */
  @Option(oneOf<FollowAs>('tenant', 'system'))
  readonly as: FollowAs = 'tenant';

  /** For how many tenants at once in each instance: an integer from 1 to 100. Default 4. Keep it below the pool's size. */
  @Option(integer(1, MAX_CONCURRENCY))
  readonly concurrency: number = 4;
}

/** Options of `EventFollower.follow()`. */
export class CheckedFollowOptions extends FollowerOptions {
  /** What all instances know the follower by, and its position is kept under: 1 to 100 characters without control characters. */
  @Option(FOLLOWER_NAME, { required: true })
  readonly name!: string;

  /** How many events of a tenant one call gets at most: an integer from 1 to 100. Default 1. */
  @Option(integer(1, PAGE_SIZE))
  readonly batch: number = 1;
}

export type FollowFrom = 'now' | 'beginning';
export type FollowAs = 'tenant' | 'system';

export type FollowOptions = Pick<CheckedFollowOptions, 'name'> & Given<Omit<CheckedFollowOptions, 'name'>>;

/** What a call is told beside its events. */
export interface FollowCall {
  /** `undefined` for a follower as `system`. */
  readonly tenant: Tenant | undefined;
  /** How often these events were tried before without success, by whichever instance. */
  readonly attempts: number;
  /** Aborted when the work should end soon: at shutdown, or when another instance may have the tenant's events by now. */
  readonly signal: AbortSignal;
}
