import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import { CarriedTokenError, type CarriedTokenProblem } from './carried.errors';

/** A secret, and the name by which tokens say that they were signed with it. */
export interface CarryKey {
  /** 1 to 32 characters of `a-z A-Z 0-9 _ -`. Readable in every token. */
  readonly id: string;
  /** At least 32 characters. */
  readonly secret: string;
}

export interface CarriedClaims {
  /** `undefined`: signed to say that the work belongs to no tenant. */
  readonly tenantId?: string;
  /** What the token is for. */
  readonly purpose: string;
  /** What it is bound to. */
  readonly payload?: string | Uint8Array;
  /** By the clock of whoever signs, in milliseconds since 1970. */
  readonly issuedAt: number;
  /** Default never. */
  readonly expiresAt?: number;
}

/** What a reader expects of a token. */
export type CarriedExpectation = Pick<CarriedClaims, 'purpose' | 'payload'>;

const VERSION = 'tc1';
const MAX_TOKEN_LENGTH = 512;
/** Encoded, so that a token stays below its bound whatever the purpose holds. */
const MAX_PURPOSE_LENGTH = 200;

/** SHA-256 in base64url. */
const DIGEST = '[\\w-]{43}';
const TOKEN = new RegExp(
  `^${VERSION}:(?<keyId>[\\w-]{1,32}):(?<issuedAt>\\d{1,16}):(?<expiresAt>\\d{0,16}):(?<purpose>[^:]{1,${MAX_PURPOSE_LENGTH}}):` +
    `(?<payload>(?:${DIGEST})?):(?<tenantId>(?:[0-9a-f-]{36})?):(?<signature>${DIGEST})$`,
);

/** One clock may be this much ahead of another one. */
const CLOCK_TOLERANCE_MS = 30_000;

/**
 * `tc1:<key's id>:<issued at>:<expires at>:<purpose>:<SHA-256 of the payload>:<tenant's id>:<HMAC-SHA-256 of all before>`.
 *
 * @throws TypeError when the purpose is empty or too long
 */
export function signCarried({ id, secret }: CarryKey, claims: CarriedClaims): string {
  const { tenantId = '', purpose, payload, issuedAt, expiresAt } = claims;
  const encoded = encodeURIComponent(purpose);
  if (encoded.length === 0 || encoded.length > MAX_PURPOSE_LENGTH)
    throw new TypeError(
      `A purpose has 1 to ${MAX_PURPOSE_LENGTH} characters, as encodeURIComponent() writes it.`,
    );
  const parts = [VERSION, id, issuedAt, expiresAt ?? '', encoded, digestOf(payload), tenantId];
  const text = parts.join(':');
  return `${text}:${sign(secret, text)}`;
}

/**
 * What a token says, when it was signed with one of the keys, for this purpose and this payload.
 *
 * @param now by the reader's clock
 * @throws CarriedTokenError
 */
export function readCarried(
  keys: readonly CarryKey[],
  token: unknown,
  { purpose, payload }: CarriedExpectation,
  now: number,
): { readonly tenantId?: string; readonly issuedAt: number } {
  const claims = parse(token);
  const key = keys.find(({ id }) => id === claims.keyId);
  if (!key)
    return refuse('key', `it was signed with the key "${claims.keyId}", which is not one of carryKeys.`);
  const text = (token as string).slice(0, -claims.signature.length - 1);
  // Both have 43 characters of ASCII.
  if (!timingSafeEqual(Buffer.from(sign(key.secret, text)), Buffer.from(claims.signature)))
    return refuse('signature', `it was edited, or signed with another secret under the key id "${key.id}".`);
  if (claims.purpose !== encodeURIComponent(purpose))
    return refuse(
      'purpose',
      `it was made for "${decodeURIComponent(claims.purpose)}", not for "${purpose}".`,
    );
  checkPayload(claims.payload, digestOf(payload));
  if (claims.expiresAt !== '' && now > Number(claims.expiresAt) + CLOCK_TOLERANCE_MS)
    return refuse('expired', `it has expired at ${new Date(Number(claims.expiresAt)).toISOString()}.`);
  return { tenantId: claims.tenantId || undefined, issuedAt: Number(claims.issuedAt) };
}

/** Whose a token says that it is. It proves nothing: for lists, and for removing what would be refused anyway. */
export function claimedTenantId(token: unknown): string | undefined {
  return typeof token === 'string' && token.length <= MAX_TOKEN_LENGTH
    ? TOKEN.exec(token)?.groups?.tenantId || undefined
    : undefined;
}

export function isCarryKeys(keys: unknown): keys is readonly CarryKey[] {
  if (!Array.isArray(keys) || keys.length === 0) return false;
  const ids = (keys as (Partial<CarryKey> | null)[]).map((each) => each?.id);
  return (
    new Set(ids).size === keys.length &&
    ids.every((id) => typeof id === 'string' && /^[\w-]{1,32}$/.test(id)) &&
    (keys as CarryKey[]).every(({ secret }) => typeof secret === 'string' && secret.length >= 32)
  );
}

/** `2026:<secret>,2025:<secret>`, as a variable has them. */
export function carryKeysOf(text: string): readonly CarryKey[] | undefined {
  const keys = text.split(',').map((each) => {
    const [id, ...secret] = each.trim().split(':');
    return { id, secret: secret.join(':') };
  });
  return isCarryKeys(keys) ? keys : undefined;
}

function parse(token: unknown): Readonly<Record<string, string>> {
  if (token === undefined || token === null) return refuse('malformed', 'there is no token.');
  if (typeof token !== 'string') return refuse('malformed', `the token is not text, but ${typeof token}.`);
  if (token.length > MAX_TOKEN_LENGTH)
    return refuse('malformed', `the token has ${token.length} characters, more than ${MAX_TOKEN_LENGTH}.`);
  const groups = TOKEN.exec(token)?.groups;
  if (groups) return groups;
  const version = /^tc\d+(?=:)/.exec(token)?.[0];
  return version && version !== VERSION
    ? refuse('version', `the token has the version ${version}; this release reads ${VERSION}.`)
    : refuse('malformed', 'the token is cut off, or is none of carryTenant().');
}

function checkPayload(signed: string, given: string): void {
  if (signed === given) return;
  if (signed === '') refuse('payload', 'the token is not bound to a payload, and must be.');
  if (given === '') refuse('payload', 'the token is bound to a payload: give it to be compared.');
  refuse('payload', 'the payload is not the one that was signed.');
}

function refuse(problem: CarriedTokenProblem, what: string): never {
  throw new CarriedTokenError(problem, what);
}

function digestOf(payload: string | Uint8Array | undefined): string {
  return payload === undefined ? '' : hash('sha256', payload, 'base64url');
}

function sign(secret: string, text: string): string {
  return createHmac('sha256', secret).update(text).digest('base64url');
}
