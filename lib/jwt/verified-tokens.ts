import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { TenantClaim } from '../tenant/tenant';

/** What a verified token says, which may be nothing. */
export interface VerifiedToken {
  readonly claim: TenantClaim | undefined;
}

/** Tokens that were verified a moment ago, by their SHA-256: the tokens themselves are not kept. */
export class VerifiedTokens {
  readonly #tokens: LRUCache<string, VerifiedToken & { readonly until: number }>;

  constructor(
    maxEntries: number,
    private readonly ttlMs: number,
  ) {
    this.#tokens = new LRUCache({ max: maxEntries });
  }

  get(token: string): VerifiedToken | undefined {
    if (this.ttlMs === 0) return undefined;
    const known = this.#tokens.get(digest(token));
    return known && Date.now() < known.until ? known : undefined;
  }

  /** Remembers what a token says, until it expires at the latest. */
  set(token: string, expiresAtMs: number, claim: TenantClaim | undefined): void {
    if (this.ttlMs === 0) return;
    this.#tokens.set(digest(token), { claim, until: Math.min(Date.now() + this.ttlMs, expiresAtMs) });
  }
}

function digest(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}
