import type { LookupCacheOptions } from '../registry/cache/lookup-cache.options';

export const ACCESS_OPTIONS = Symbol('ACCESS_OPTIONS');

export interface TenancyAccessOptions {
  /**
   * What keys begin with, `sk` by default: a letter, then letters and digits of ASCII in lower case, 16 at most, and up
   * to two more parts behind `_`, as in `acme_live`. Keys that were made with another one go on working.
   */
  readonly prefix?: string;
  /** How long the old text of a rotated key goes on working, in milliseconds from 0 to 7 days. Default 900,000. */
  readonly rotationOverlapMs?: number;
  /** The scopes of the key that `POST /admin/tenants` makes for `apiKey: true`. Default `['keys:*']`. */
  readonly firstKeyScopes?: readonly string[];
  /** How many keys a tenant may have that are not revoked, 1 to 100,000. Default 1,000. */
  readonly maxKeysPerTenant?: number;
  /** Between two writes of when keys were last used, in milliseconds from 1 to a day. Default 10,000. */
  readonly lastUsedIntervalMs?: number;
  /** How long and how much of keys is remembered, as of tenants. */
  readonly cache?: LookupCacheOptions;
}

export type CheckedAccessOptions = Required<TenancyAccessOptions>;
