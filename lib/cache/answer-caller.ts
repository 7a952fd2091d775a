import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { HttpRequest } from '../context/handler-call';
import { credentialsOf } from '../resolution/resolvers/verified-credential';

/** Headers that carry a credential, or name a caller, say so in their names. */
const OF_CALLERS =
  /account|actor|assertion|auth|caller|claim|consumer|cookie|credential|customer|email|group|identity|jwt|key|member|password|permission|principal|role|scope|secret|session|signature|token|user/;

/** So do those by which a proxy says whose certificate or login it has looked at: `x-ssl-client-s-dn`. */
const OF_PROXIES = /cert|-dn$|oidc|saml|subject/;

/** Named alike, and of nobody in particular. */
const OF_BROWSERS = /^(?:sec-|user-agent$)/;

/** What an application, or Nest's Passport, puts on a request once it knows who sent it. */
const KNOWN_CALLERS = ['user', 'auth', 'session'];

/** Those of them that are the same for the same caller. */
const NAMED_CALLERS = ['user', 'auth'];

/**
 * Who sends a request, as far as it says so: a text that is the same for the same caller. `undefined` when the caller is known
 * by something else, such as a certificate.
 */
export function callerOf(request: HttpRequest): string | undefined {
  const raw = rawOf(request);
  const headers = Object.entries(raw.headers)
    .filter(([name]) => (OF_CALLERS.test(name) || OF_PROXIES.test(name)) && !OF_BROWSERS.test(name))
    .sort(([one], [other]) => (one < other ? -1 : 1));
  const credentials = credentialsOf(request).map(({ details }) => details.name);
  const isNamed = headers.length > 0 || credentials.length > 0;
  const known = request as unknown as Readonly<Record<string, unknown>>;
  const isKnownOtherwise =
    (raw.socket as Partial<TLSSocket>).authorized === true ||
    (!isNamed && KNOWN_CALLERS.some((name) => (known[name] ?? undefined) !== undefined));
  if (isKnownOtherwise) return undefined;
  try {
    // The application may know it by something else than those headers, such as a cookie of another purpose.
    return JSON.stringify([headers, credentials, NAMED_CALLERS.map((name) => known[name])]);
  } catch {
    return undefined;
  }
}

/** Of a request, what an answer may differ by besides its caller, with the caller; no credential can be read from it. */
export function answerKey(request: HttpRequest, caller: string, what: string): string {
  const { host, accept, 'accept-language': language } = rawOf(request).headers;
  const hash = createHash('sha256').update(JSON.stringify([caller, host, accept, language]));
  return `answer ${hash.digest('base64url')} ${what}`;
}

function rawOf(request: HttpRequest): IncomingMessage {
  return 'raw' in request ? request.raw : request;
}
