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
   * What keys begin with: a letter, then letters and digits of ASCII in lower case, 16 at most, and up to two more parts
   * behind `_`, as in `acme_live`. Keys that were made with another one go on working. Default `sk`.
   */
  @Option(kind<string>("give letters and digits in lower case, such as 'sk' or 'acme_live'", isKeyPrefix))
  readonly prefix: string = 'sk';

  /** How long the old text of a rotated key goes on working, in milliseconds from 0 to 7 days. Default 900,000. */
  @Option(milliseconds(0, MAX_OVERLAP_MS))
  readonly rotationOverlapMs: number = 900_000;

  /** The scopes of the key that `POST /admin/tenants` makes for `apiKey: true`. Default `keys:*`. */
  @Option(listOf<string>("list scopes such as 'orders:read' or 'orders:*'", isScope))
  readonly firstKeyScopes: readonly string[] = ['keys:*'];

  /** How many keys a tenant may have that are not revoked, 1 to 100,000. Default 1,000. */
  @Option(integer(1, 100_000))
  readonly maxKeysPerTenant: number = 1_000;

  /** Between two writes of when keys were last used, in milliseconds from 1 to a day. Default 10,000. */
  @Option(milliseconds(1, DAY_MS))
  readonly lastUsedIntervalMs: number = 10_000;

  /** How long and how much of keys is remembered, as of tenants. */
  @Option(group(CheckedLookupCacheOptions, { variables: false }))
  readonly cache: CheckedLookupCacheOptions = new CheckedLookupCacheOptions();
}

export type TenancyAccessOptions = Given<CheckedAccessOptions, 'cache'>;

/** Given where the module is imported. */
export class CheckedAccessExtras {
  /** Whether there are `/me` and `/tenant/keys`. Default true. Without them write your own, with `ApiKeys`. */
  @Option(flag())
  readonly routes: boolean = true;
}

export type TenancyAccessExtras = Given<CheckedAccessExtras>;
