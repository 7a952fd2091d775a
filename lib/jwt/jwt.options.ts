import type { JsonWebKey, KeyObject, webcrypto } from 'node:crypto';
import {
  flag,
  group,
  headerName,
  integer,
  isText,
  kind,
  milliseconds,
  oneOf,
  scheme,
  secret,
  text,
  waiting,
} from '../common/options/kinds';
import { type Given, Option, OptionsRule } from '../common/options/option.decorator';

type PublicKey = string | JsonWebKey | KeyObject | webcrypto.CryptoKey;

const ISSUER_REMEDY = 'name the issuer (iss) of the tokens; jwksUri needs one';
const AUDIENCE_REMEDY =
  'name the audience (aud) of the tokens, or give false if the issuer makes tokens for this application only';

const KEY_OPTIONS = ['key', 'secret', 'jwksUri'] as const;

/** The cache of verified tokens. */
export class CheckedTokenCacheOptions {
  /** An integer from 1 to 1,000,000. Default 1,000. */
  @Option(integer(1, 1_000_000))
  readonly maxEntries: number = 1_000;

  /**
   * Milliseconds from 0 (verify each time), but never beyond the token's `exp`. Default 10,000: for so long a token is
   * still accepted after its key was withdrawn.
   */
  @Option(milliseconds(0))
  readonly ttlMs: number = 10_000;
}

export type VerifiedTokenCacheOptions = Given<CheckedTokenCacheOptions>;

/**
 * Which tokens are accepted, and which of their claims names the tenant. One of `key`, `secret` and `jwksUri` says how
 * they are verified; without any of them, the OpenID Connect discovery of `issuer` does.
 */
@OptionsRule<CheckedJwtOptions>((options, givenOptions) => {
  const { issuer, audience, jwksUri } = options;
  const given = KEY_OPTIONS.filter((name) => options[name] !== undefined);
  // When `process.env.SECRET` is not set, `secret: process.env.SECRET` must not lead to discovery.
  const forgotten = KEY_OPTIONS.filter(
    (name) => options[name] === undefined && Object.hasOwn(givenOptions, name),
  );
  const isRemote = given.length === 0 || jwksUri !== undefined;
  return [
    ...forgotten.map((field) => ({ field, message: 'is undefined: give it a value, or leave it out' })),
    given.length !== 1 &&
      !(given.length === 0 && typeof issuer === 'string') && {
        field: 'key, secret, jwksUri',
        message: `are ${given.length === 0 ? 'missing' : 'several'}: give one of them, or the URL of an issuer alone`,
      },
    issuer === undefined && isRemote && { field: 'issuer', message: `is missing: ${ISSUER_REMEDY}` },
    given.length === 0 &&
      typeof issuer === 'string' &&
      !isHttpUrl(issuer) && {
        field: 'issuer',
        message:
          'is not a URL: alone it must be the http:// or https:// URL, without user and password, where the keys are looked up',
      },
    audience === undefined && isRemote && { field: 'audience', message: `is missing: ${AUDIENCE_REMEDY}` },
  ];
})
export class CheckedJwtOptions {
  /**
   * The claim that names the tenant: `'tenant'`; with dots for a claim within another, `'org.tenant'`; or a list when
   * names contain dots themselves, `['https://example.com/tenant']`.
   */
  @Option(
    kind<string | readonly string[]>("name the claim, such as 'tenant' or 'org.tenant'", (value) =>
      isListOfTexts(typeof value === 'string' ? value.split('.') : value),
    ),
    { required: true },
  )
  readonly claim!: string | readonly string[];

  /** What the claim contains. Default: an id if it has the form of a uuid, else a slug. */
  @Option(oneOf('slug', 'id'))
  readonly by?: 'slug' | 'id';

  /**
   * The claim may be a list: the token is valid for all tenants in it. If there are several, another resolver, such as
   * a host or a header, must choose one of them. Default false: a list names no tenant.
   */
  @Option(flag())
  readonly several: boolean = false;

  /**
   * A token without the claim is refused as one that names no tenant. Default false: it makes no claim, and another
   * resolver may.
   */
  @Option(flag())
  readonly requireClaim: boolean = false;

  /** The issuer's public key: PEM (SPKI or X.509), JWK, KeyObject or CryptoKey; RSA from 2,048 bits, EC, Ed25519. */
  @Option(secret<PublicKey>('give a public key', () => true))
  readonly key?: PublicKey;

  /** The secret shared with the issuer: at least 32 bytes for HS256, 48 for HS384, 64 for HS512. Text counts as UTF-8. */
  @Option(
    secret<string | Uint8Array>(
      'give text or bytes',
      (value) => typeof value === 'string' || value instanceof Uint8Array,
    ),
  )
  readonly secret?: string | Uint8Array;

  /** Where the issuer publishes its keys (a JSON Web Key Set). */
  @Option(secret<string>('give an http:// or https:// URL without user and password', isHttpUrl))
  readonly jwksUri?: string;

  /**
   * The `iss` that tokens must have, or several of which one is enough. Required with `jwksUri`. Alone, it is the URL
   * whose `/.well-known/openid-configuration` says where the keys are.
   */
  @Option(secret<string | readonly string[]>(ISSUER_REMEDY, isOneOrMoreTexts))
  readonly issuer?: string | readonly string[];

  /**
   * The `aud` that tokens must have, or several of which one is enough. Required with `jwksUri` and with discovery,
   * because an issuer makes tokens for other applications too; `false` says that this issuer makes them for this
   * application only.
   */
  @Option(
    kind<string | readonly string[] | false>(
      AUDIENCE_REMEDY,
      (value) => value === false || isOneOrMoreTexts(value),
    ),
  )
  readonly audience?: string | readonly string[] | false;

  /**
   * Signature algorithms, from those that fit the key. Default: all that fit a public key, HS256 for a secret. `none`
   * is never accepted, nor is HS256 with a public key.
   */
  @Option(kind<readonly string[]>("list signature algorithms, such as 'RS256'", isListOfTexts))
  readonly algorithms?: readonly string[];

  /** The `typ` of the token's header, `at+jwt` for access tokens by RFC 9068. Default any. */
  @Option(text("give a type such as 'at+jwt'"))
  readonly typ?: string;

  /** How far clocks may differ, in seconds from 0 to 300. Default 5. A token without `exp` is always refused. */
  @Option(integer(0, 300))
  readonly clockToleranceSeconds: number = 5;

  /** The header that holds the token. Default `authorization`. */
  @Option(headerName('authorization'))
  readonly header: string = 'authorization';

  /**
   * The word before the token in the header, in any case; `''` for a header that holds only the token. Default
   * `Bearer`.
   */
  @Option(scheme('Bearer'))
  readonly scheme: string = 'Bearer';

  /** How long to wait for the issuer's keys, in milliseconds from 1. Default 5,000; then the answer is 503. */
  @Option(waiting(1))
  readonly timeoutMs: number = 5_000;

  /**
   * When a token names an unknown key, the keys are fetched again, but not sooner than this after the last answer, in
   * milliseconds from 0. Default 30,000. After a failed fetch it is this time or one second, whichever is shorter.
   */
  @Option(waiting(0))
  readonly cooldownMs: number = 30_000;

  /** How long the issuer's keys are used without asking again, in milliseconds from 1. Default 600,000. */
  @Option(milliseconds(1))
  readonly keysMaxAgeMs: number = 600_000;

  /** The cache of verified tokens. */
  @Option(group(CheckedTokenCacheOptions))
  readonly cache: CheckedTokenCacheOptions = new CheckedTokenCacheOptions();
}

export type FromJwtClaimOptions = Given<Omit<CheckedJwtOptions, 'claim'>, 'cache'> &
  Pick<CheckedJwtOptions, 'claim'>;

/** `fetch` refuses a URL with credentials, and its error would show them. */
function isHttpUrl(value: unknown): boolean {
  if (typeof value !== 'string' || !/^https?:\/\//i.test(value) || !URL.canParse(value)) return false;
  const { username, password } = new URL(value);
  return username === '' && password === '';
}

function isOneOrMoreTexts(value: unknown): boolean {
  return isText(value) || isListOfTexts(value);
}

function isListOfTexts(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isText);
}
