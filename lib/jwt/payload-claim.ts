import { slugOrId } from '../resolution/slug-or-id';
import type { TenantClaim } from '../tenant/tenant';

/** A name that nobody has: slugs and ids are not empty. */
const NOBODY = '';

export interface PayloadClaimOptions {
  readonly claim: string | readonly string[];
  readonly by?: TenantClaim['by'];
  readonly requireClaim?: boolean;
}

/**
 * Reads the tenant's claim from a verified payload. A claim that is absent or null makes none, unless it is required;
 * one that is no text (a list, a number) names nobody.
 */
export function payloadClaim({
  claim,
  by,
  requireClaim = false,
}: PayloadClaimOptions): (payload: object) => TenantClaim | undefined {
  const path = typeof claim === 'string' ? claim.split('.') : [...claim];
  return (payload) => {
    const value = path.reduce<unknown>(memberOf, payload) ?? undefined;
    if (value === undefined && !requireClaim) return undefined;
    const text = typeof value === 'string' ? value : NOBODY;
    return by ? { by, value: text } : slugOrId(text);
  };
}

/** Own members only: every object inherits a `constructor`. */
function memberOf(value: unknown, name: string): unknown {
  const isMember = typeof value === 'object' && value !== null && Object.hasOwn(value, name);
  return isMember ? (value as Record<string, unknown>)[name] : undefined;
}
