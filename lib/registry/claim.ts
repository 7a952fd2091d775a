import { normalizeDomain, normalizeWildcard } from './domain';
import { isSlug } from './slug';
import type { TenantClaim } from './tenant';
import { isUuid } from './uuid';

const KINDS: readonly unknown[] = ['slug', 'id', 'domain'] satisfies TenantClaim['by'][];

/** Whether a value that the application's own code has given is a claim. Its text may still be one that names nobody. */
export function isClaim(value: unknown): value is TenantClaim {
  if (typeof value !== 'object' || value === null) return false;
  const { by, value: text } = value as Partial<Record<keyof TenantClaim, unknown>>;
  return KINDS.includes(by) && typeof text === 'string';
}

/**
 * The claim as the registry spells such values (ids and domains in lower case), or `undefined` when no tenant can
 * have that name: not a slug, not a uuid, not a domain. What comes out is bounded and free of surprises, so it is
 * safe as a cache key or a query parameter.
 */
export function normalizeClaim({ by, value }: TenantClaim): TenantClaim | undefined {
  const normalized = NORMALIZE[by](value);
  return normalized === undefined ? undefined : { by, value: normalized };
}

const NORMALIZE: Readonly<Record<TenantClaim['by'], (value: unknown) => string | undefined>> = {
  slug: (value) => (isSlug(value) ? value : undefined),
  id: (value) => (isUuid(value) ? value.toLowerCase() : undefined),
  domain: (value) => normalizeDomain(value) ?? normalizeWildcard(value),
};

/** The claim of a text that people or programs write: an id if it is shaped like a uuid, else a slug. */
export function slugOrId(value: string): TenantClaim {
  return { by: isUuid(value) ? 'id' : 'slug', value };
}
