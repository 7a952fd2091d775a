import { slugOrId } from '../registry/claim';
import type { CredentialClaims } from '../resolution/resolvers/tenant-resolver';
import type { TenantClaim } from '../registry/tenant';

/** A name that no tenant can have, because slugs and ids are not empty. */
const NOBODY = '';

export interface PayloadClaimOptions {
  readonly claim: string | readonly string[];
  readonly by?: TenantClaim['by'];
  readonly requireClaim?: boolean;
  readonly several?: boolean;
}

/**
 * Reads the tenant's claim from a verified payload. A claim that is absent or null makes no claim, unless it is
 * required. A value that is not text (a list, a number) names no tenant. With `several`, a list of texts names all
 * tenants in it.
 */
export function payloadClaim({
  claim,
  by,
  requireClaim = false,
  several = false,
}: PayloadClaimOptions): (payload: object) => CredentialClaims {
  const path = typeof claim === 'string' ? claim.split('.') : [...claim];
  return (payload) => {
    const value = path.reduce<unknown>(memberOf, payload) ?? undefined;
    if (value === undefined && !requireClaim) return undefined;
    const claims = textsOf(value, several).map((text) => (by ? { by, value: text } : slugOrId(text)));
    return claims.length === 1 ? claims[0] : claims;
  };
}

function textsOf(value: unknown, several: boolean): readonly string[] {
  if (typeof value === 'string') return [value];
  const isListOfTexts =
    several && Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === 'string');
  return isListOfTexts ? value : [NOBODY];
}

/** Only own members, because every object inherits a `constructor`. */
function memberOf(value: unknown, name: string): unknown {
  const isMember = typeof value === 'object' && value !== null && Object.hasOwn(value, name);
  return isMember ? (value as Record<string, unknown>)[name] : undefined;
}
