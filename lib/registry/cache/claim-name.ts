import { createHash, randomUUID } from 'node:crypto';
import { normalizeClaim } from '../claim';
import type { TenantClaim } from '../tenant';

/** No well-formed value is longer: a domain has at most 253 characters. */
const MAX_KEPT_LENGTH = 256;

const MALFORMED = 'malformed ';

/** What a claim is remembered by. */
export interface ClaimName {
  /** At most 300 characters, whatever the claim holds. */
  readonly key: string;
  readonly by: TenantClaim['by'];
  /** As the registry spells it; `undefined` when no tenant can have the name. */
  readonly claim?: TenantClaim;
}

export function nameOf({ by, value }: TenantClaim): ClaimName {
  const claim = normalizeClaim({ by, value });
  return { key: claim ? keyOf(claim) : `${MALFORMED}${by} ${shortened(value)}`, by, claim };
}

/** The key of a normalised claim. */
export function keyOf({ by, value }: TenantClaim): string {
  return `${by} ${value}`;
}

/**
 * What the store is asked in the place of a malformed claim: for a name that is nobody's. Were it not asked, a malformed
 * name would be answered sooner than an unknown one. The store never sees the malformed value.
 */
export function standInFor(by: TenantClaim['by']): TenantClaim {
  return { by, value: STAND_IN[by](randomUUID()) };
}

const STAND_IN: Readonly<Record<TenantClaim['by'], (uuid: string) => string>> = {
  slug: (uuid) => `nobody-${uuid}`,
  id: (uuid) => uuid,
  // RFC 2606: nobody's, for ever.
  domain: (uuid) => `${uuid}.invalid`,
};

function shortened(value: unknown): string {
  if (typeof value !== 'string') return '';
  return value.length <= MAX_KEPT_LENGTH ? value : createHash('sha256').update(value).digest('hex');
}
