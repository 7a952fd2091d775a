import { isUuid } from './uuid';

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
