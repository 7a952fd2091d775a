import { Logger } from '@nestjs/common';
import type { JWTVerifyGetKey } from 'jose';
import { TenancyUnavailableError } from '../common/tenancy.errors';
import { jose } from './jose';

const { createRemoteJWKSet, errors } = jose;

/** For at most this long a failure is answered again, so that an issuer that is down is not asked at every request. */
const MAX_REST_MS = 1_000;

export interface RemoteKeysOptions {
  /** The URL of the key set. Without it, the issuer's discovery document names it. */
  readonly jwksUri?: string;
  /** Required for discovery. */
  readonly issuer?: string;
  readonly timeoutMs: number;
  readonly cooldownMs: number;
  readonly keysMaxAgeMs: number;
}

/** Errors that are the token's fault, not the issuer's. */
const FAULTS_OF_TOKENS = [errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys, errors.JOSENotSupported];

/**
 * The keys that an issuer publishes. They are fetched when first needed, when they are too old, and when a token names
 * a key that is not among them. The returned function throws `TenancyUnavailableError` when they cannot be fetched.
 */
export function remoteKeys({ jwksUri, issuer = '', ...times }: RemoteKeysOptions): JWTVerifyGetKey {
  const url = new URL(jwksUri ?? discoveryUrl(issuer));
  let loadedAt = -Infinity;
  const load = async (init: RequestInit): Promise<unknown> => {
    const keySetUrl = jwksUri ?? (await discover(url, issuer, init));
    const keySet = keySetOf(await getJson(keySetUrl, init));
    loadedAt = performance.now();
    return keySet;
  };
  const rested = restAfterFailure(load, Math.min(times.cooldownMs, MAX_REST_MS), (error) => warn(url, error));
  const keys = createRemoteJWKSet(url, {
    timeoutDuration: times.timeoutMs,
    cooldownDuration: times.cooldownMs,
    cacheMaxAge: times.keysMaxAgeMs,
    [jose.customFetch]: async (_url, init) => Response.json(await rested(init)),
  });
  // `jose` uses the machine's clock. If that were set back, it would trust old keys for so much longer.
  const find: JWTVerifyGetKey = async (header, token) => {
    if (keys.jwks() && performance.now() - loadedAt >= times.keysMaxAgeMs) await keys.reload();
    const before = loadedAt;
    try {
      return await keys(header, token);
    } catch (error) {
      const isRested = loadedAt === before && performance.now() - loadedAt >= times.cooldownMs;
      if (!isRested || !(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await keys.reload();
      return keys(header, token);
    }
  };
  return async (header, token) => {
    try {
      return await find(header, token);
    } catch (error) {
      if (FAULTS_OF_TOKENS.some((fault) => error instanceof fault)) throw error;
      throw new TenancyUnavailableError("The token issuer's key set", { cause: error });
    }
  };
}

function discoveryUrl(issuer: string): string {
  return `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
}

/** OpenID Connect Discovery 1.0, 4.3: the document must name the issuer that was asked. */
async function discover(url: URL, issuer: string, init: RequestInit): Promise<string> {
  const document = await getJson(url, init);
  const { issuer: named, jwks_uri: keySetUrl } = document as { issuer?: unknown; jwks_uri?: unknown };
  if (named !== issuer)
    throw new Error(`it is of the issuer ${JSON.stringify(named)}, not ${JSON.stringify(issuer)}`);
  if (typeof keySetUrl !== 'string' || !URL.canParse(keySetUrl)) throw new Error('it names no jwks_uri');
  if (url.protocol === 'https:' && new URL(keySetUrl).protocol !== 'https:') {
    throw new Error('its jwks_uri is not https');
  }
  return keySetUrl;
}

async function getJson(url: string | URL, init: RequestInit): Promise<object> {
  const response = await fetch(url, init);
  if (response.status !== 200) throw new Error(`${shown(url)} answered with status ${response.status}`);
  const document: unknown = await response.json();
  if (typeof document !== 'object' || document === null)
    throw new Error(`${shown(url)} did not answer with a JSON object`);
  return document;
}

function keySetOf(document: object): object {
  if (!('keys' in document) || !Array.isArray(document.keys))
    throw new Error('the key set has no list of keys');
  return document;
}

/** Calls `work`, but for `restMs` after a failure throws that failure again. */
function restAfterFailure<Input, Output>(
  work: (input: Input) => Promise<Output>,
  restMs: number,
  onFailure: (error: unknown) => void,
): (input: Input) => Promise<Output> {
  let failure: { readonly error: unknown; readonly until: number } | undefined;
  return async (input) => {
    if (failure && performance.now() < failure.until) throw failure.error;
    try {
      const output = await work(input);
      failure = undefined;
      return output;
    } catch (error) {
      failure = { error, until: performance.now() + restMs };
      onFailure(error);
      throw error;
    }
  };
}

function warn(url: URL, error: unknown): void {
  const { message, cause } = error as Error;
  const reason = cause instanceof Error ? `${message}: ${cause.message}` : message;
  new Logger('Tenancy').warn(`No keys to verify tokens with from ${shown(url)}: ${reason}`);
}

/** Without the query, which may contain a secret. */
function shown(url: string | URL): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
