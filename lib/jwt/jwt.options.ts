import type { JsonWebKey, KeyObject, webcrypto } from 'node:crypto';

/**
 * Which tokens are believed, and where in them the tenant is. One of `key`, `secret` and `jwksUri` says how they are
 * verified; without any of them, the OpenID Connect discovery of `issuer` does.
 */
export interface FromJwtClaimOptions {
  /**
   * The claim that names the tenant: `'tenant'`, with dots for claims within claims `'org.tenant'`, or the names as a
   * list when they hold dots themselves, `['https://example.com/tenant']`.
   */
  readonly claim: string | readonly string[];
  /** What the claim holds. Default: an id if it is shaped like a uuid, else a slug. */
  readonly by?: 'slug' | 'id';
  /**
   * The claim may be a list: the token is good for all that it names, and where it names more than one, the request must
   * choose one of them by another resolver, such as a host or a header. Default false: a list names nobody.
   */
  readonly several?: boolean;
  /** A token without the claim names nobody. Default false: it makes no claim, and another resolver may. */
  readonly requireClaim?: boolean;

  /** The issuer's public key: PEM (SPKI or X.509), JWK, KeyObject or CryptoKey; RSA from 2,048 bits, EC, Ed25519. */
  readonly key?: string | JsonWebKey | KeyObject | webcrypto.CryptoKey;
  /** The secret shared with the issuer: at least 32 bytes for HS256, 48 for HS384, 64 for HS512. Text counts as UTF-8. */
  readonly secret?: string | Uint8Array;
  /** Where the issuer publishes its keys (a JSON Web Key Set). */
  readonly jwksUri?: string;
  /**
   * The `iss` that tokens must have, or several. Needed with `jwksUri`; alone, it is the URL whose
   * `/.well-known/openid-configuration` says where the keys are.
   */
  readonly issuer?: string | readonly string[];
  /**
   * The `aud` that tokens must have, or several of which one is enough. Needed with `jwksUri` and with discovery, since
   * an issuer makes tokens for other applications too; `false` says that this one makes them for this one only.
   */
  readonly audience?: string | readonly string[] | false;
  /**
   * Signature algorithms, of those that fit the key. Default: all that fit a public key, HS256 for a secret. `none` fits
   * nothing, nor does HS256 fit a public key.
   */
  readonly algorithms?: readonly string[];
  /** The `typ` of the token's header, `at+jwt` for access tokens by RFC 9068. Default: any. */
  readonly typ?: string;
  /** How far clocks may differ, in seconds from 0 to 300. Default 5. A token without `exp` is refused. */
  readonly clockToleranceSeconds?: number;

  /** Where the token is. Default `authorization`. */
  readonly header?: string;
  /** The word before it, in any case; `''` for a header that holds nothing but the token. Default `Bearer`. */
  readonly scheme?: string;

  /** How long to wait for the issuer's keys, in milliseconds from 1. Default 5,000; then 503. */
  readonly timeoutMs?: number;
  /**
   * A key that is not among those known makes us ask for them anew, at the soonest so long after the last answer, in
   * milliseconds from 0. Default 30,000. After a failure it is so long or a second, whichever is shorter.
   */
  readonly cooldownMs?: number;
  /** How long the issuer's keys are used without asking again, in milliseconds from 1. Default 600,000. */
  readonly keysMaxAgeMs?: number;
  /** Verified tokens are remembered. */
  readonly cache?: VerifiedTokenCacheOptions;
}

export interface VerifiedTokenCacheOptions {
  /** An integer from 1 to 1,000,000. Default 1,000. */
  readonly maxEntries?: number;
  /**
   * Milliseconds from 0 (verify each time), never beyond the token's `exp`. Default 10,000: for so long a token goes on
   * being believed whose key was withdrawn.
   */
  readonly ttlMs?: number;
}
