import { isScope } from '../common/scopes';
import { type Names, unknownOptions } from '../common/known-names';
import { LOOKUP_CACHE_OPTIONS } from '../registry/cache/lookup-cache.options';
import type { CheckedAccessOptions, TenancyAccessOptions } from './access.options';
import { InvalidAccessOptionsError } from './access.errors';
import { isKeyPrefix } from './key-text';

const KNOWN: Names<TenancyAccessOptions> = {
  prefix: true,
  rotationOverlapMs: true,
  firstKeyScopes: true,
  maxKeysPerTenant: true,
  lastUsedIntervalMs: true,
  cache: true,
};

const DAY_MS = 86_400_000;
export const MAX_OVERLAP_MS = 7 * DAY_MS;
const MAX_KEYS_PER_TENANT = 100_000;
const MAX_CACHE_ENTRIES = 1_000_000;

/** The options with their defaults. @throws InvalidAccessOptionsError naming every bad one */
export function checkAccessOptions(options: TenancyAccessOptions = {}): CheckedAccessOptions {
  const { prefix = 'sk', rotationOverlapMs = 900_000, lastUsedIntervalMs = 10_000 } = options;
  const { firstKeyScopes = ['keys:*'], maxKeysPerTenant = 1_000, cache = {} } = options;
  const { maxEntries = 1, ttlMs = 0, staleIfErrorMs = 0 } = cache;
  const problems = [
    ...unknownOptions(options, KNOWN),
    ...unknownOptions(cache, LOOKUP_CACHE_OPTIONS, 'cache.'),
    isKeyPrefix(prefix) ? '' : `prefix: give letters and digits in lower case, such as 'sk' or 'acme_live'`,
    isInteger(rotationOverlapMs, 0, MAX_OVERLAP_MS) ? '' : `rotationOverlapMs: give 0 to ${MAX_OVERLAP_MS}`,
    isInteger(maxKeysPerTenant, 1, MAX_KEYS_PER_TENANT)
      ? ''
      : `maxKeysPerTenant: give 1 to ${MAX_KEYS_PER_TENANT}`,
    isInteger(lastUsedIntervalMs, 1, DAY_MS) ? '' : `lastUsedIntervalMs: give 1 to ${DAY_MS}`,
    Array.isArray(firstKeyScopes) && firstKeyScopes.every(isScope)
      ? ''
      : "firstKeyScopes: list scopes such as 'orders:read' or 'orders:*'",
    isInteger(maxEntries, 1, MAX_CACHE_ENTRIES) ? '' : `cache.maxEntries: give 1 to ${MAX_CACHE_ENTRIES}`,
    isInteger(ttlMs, 0) ? '' : 'cache.ttlMs: give an integer from 0',
    isInteger(staleIfErrorMs, 0) ? '' : 'cache.staleIfErrorMs: give an integer from 0',
  ].filter(Boolean);
  if (problems.length > 0) throw new InvalidAccessOptionsError(problems);
  return { prefix, rotationOverlapMs, lastUsedIntervalMs, firstKeyScopes, maxKeysPerTenant, cache };
}

function isInteger(value: unknown, from: number, to = Number.MAX_SAFE_INTEGER): boolean {
  return Number.isSafeInteger(value) && (value as number) >= from && (value as number) <= to;
}
