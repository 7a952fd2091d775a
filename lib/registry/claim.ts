import { normalizeDomain, normalizeWildcard } from './domain';
import type { TenantClaim } from './tenant';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether `value` has the shape of a uuid of any version, in either case (RFC 9562 reads both). */
export function isUuid(value: unknown): value is string {
  return typeof value === 'string' && value.length === 36 && UUID.test(value);
}

/** Names that hosts and paths of a product commonly use for itself. */
export const DEFAULT_RESERVED_SLUGS: readonly string[] = ['www', 'api', 'app', 'admin', 'mail', 'static'];

/** 1 to 60 characters; a slug is a host label too, so it neither starts nor ends with a hyphen. */
const SLUG = /^[a-z](?:[a-z0-9-]{0,58}[a-z0-9])?$/;

/**
 * Whether `value` can be a tenant's slug. Shaped like a uuid it would be read as an id; with `--` at positions
 * 3 and 4 a browser would read it as punycode (RFC 5891, 4.2.3.1). Reserved words are a matter of options.
 */
export function isSlug(value: unknown): value is string {
  return typeof value === 'string' && SLUG.test(value) && value.slice(2, 4) !== '--' && !isUuid(value);
}

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
