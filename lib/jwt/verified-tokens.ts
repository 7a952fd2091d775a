import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { CredentialClaims } from '../resolution/resolvers/tenant-resolver';
import type { CredentialDetails } from '../resolution/resolvers/verified-credential';

/** What a verified token says: its tenants, if any, and whose it is. */
export interface VerifiedToken {
  readonly claims: CredentialClaims;
  readonly details: CredentialDetails;
}

/** Tokens that were verified a moment ago, by their SHA-256. The tokens themselves are not stored. */
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
    return known && performance.now() < known.until ? known : undefined;
  }

  /** Remembers what a token says, at the longest until it expires. */
  set(token: string, expiresAtMs: number, said: VerifiedToken): void {
    if (this.ttlMs === 0) return;
    // Uses the monotonic clock: if the machine's clock were set back, the token would live on.
    const until = performance.now() + Math.min(this.ttlMs, expiresAtMs - Date.now());
    this.#tokens.set(digest(token), { ...said, until });
  }
}

function digest(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}
