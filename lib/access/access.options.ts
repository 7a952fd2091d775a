import { flag, group, integer, kind, listOf, milliseconds } from '../common/options/kinds';
import { type Given, Option } from '../common/options/option.decorator';
import { isScope } from '../common/scopes';
import { CheckedLookupCacheOptions } from '../registry/cache/lookup-cache.options';
import { isKeyPrefix } from './key-text';

export const ACCESS_OPTIONS = Symbol('ACCESS_OPTIONS');

const DAY_MS = 86_400_000;
export const MAX_OVERLAP_MS = 7 * DAY_MS;

export class CheckedAccessOptions {
  /**
   * The prefix of new keys: a lower-case ASCII letter, then lower-case letters and digits, 16 at most, then up to two
   * more parts after `_`, as in `acme_live`. Keys with an older prefix remain valid. Default `sk`.
   */
  @Option(kind<string>("give letters and digits in lower case, such as 'sk' or 'acme_live'", isKeyPrefix))
  readonly prefix: string = 'sk';

  /** How long the old text of a rotated key remains valid, in milliseconds from 0 to 7 days. Default 900,000. */
  @Option(milliseconds(0, MAX_OVERLAP_MS))
  readonly rotationOverlapMs: number = 900_000;

  /** The scopes of the key that `POST /admin/tenants` makes when it is sent `apiKey: true`. Default `keys:*`. */
  @Option(listOf<string>("list scopes such as 'orders:read' or 'orders:*'", isScope))
  readonly firstKeyScopes: readonly string[] = ['keys:*'];

  /** How many keys that are not revoked a tenant may have, 1 to 100,000. Default 1,000. */
  @Option(integer(1, 100_000))
  readonly maxKeysPerTenant: number = 1_000;

  /** The time between two writes of `lastUsedAt`, in milliseconds from 1 to a day. Default 10,000. */
  @Option(milliseconds(1, DAY_MS))
  readonly lastUsedIntervalMs: number = 10_000;

  /** How many keys are cached and for how long, as for tenants. */
  @Option(group(CheckedLookupCacheOptions, { variables: false }))
  readonly cache: CheckedLookupCacheOptions = new CheckedLookupCacheOptions();
}

export type TenancyAccessOptions = Given<CheckedAccessOptions, 'cache'>;

/** Options that are given where the module is imported. */
export class CheckedAccessExtras {
  /** Whether the routes `/me` and `/tenant/keys` exist. Default true. Without them write your own, with `ApiKeys`. */
  @Option(flag())
  readonly routes: boolean = true;
}

export type TenancyAccessExtras = Given<CheckedAccessExtras>;
