import type { IncomingMessage } from 'node:http';
import proxyAddress, { compile } from 'proxy-addr';
import { normalizeDomain } from '../../registry/domain';
import { PROVIDERS } from '../resolvers/credential-resolver';
import type { Providers, TenantRequest } from '../resolvers/tenant-resolver';

/** What Express and Fastify's middie add to Node's request. Their own settings say whether a proxy is believed. */
export interface PlatformRequest extends IncomingMessage {
  readonly hostname?: string;
  readonly ip?: string;
  readonly originalUrl?: string;
}

/**
 * An IPv6 address in brackets or a name, then perhaps a port. Whether a name is a good one is not asked here: under a
 * parent domain a bad one is a claim that names nobody, and answers so.
 */
const HOST = /^(\[[\da-f:.]+\]|[^\s:/?#@,\\[\]]+)(?::\d*)?$/;

/** `http://example.com:3000` of a target in absolute form, up to what can only be its path (RFC 9112, 3.2.2). */
const ABSOLUTE_TARGET = /^https?:\/\/([^/?#\\]*)(?=[/?#]|$)/i;

/** Of several of these Node keeps the first and drops the others; a proxy may have read the last (RFC 9110, 5.3). */
const KEPT_ONCE: ReadonlySet<string> = new Set(
  (
    'age authorization content-length content-type etag expires from host if-modified-since if-unmodified-since ' +
    'last-modified location max-forwards proxy-authorization referer retry-after server user-agent'
  ).split(' '),
);

/**
 * What resolvers see of a request of either platform. Each part is read when it is asked for: most ask for one.
 * With `trust` it alone says which proxies are believed; without it the platform's own setting does.
 */
export function toTenantRequest(
  raw: PlatformRequest,
  trust?: ProxyTrust,
  providers?: Providers,
): TenantRequest {
  return new ReadRequest(raw, trust, providers);
}

/** A class: of an object literal with getters V8 makes a new hidden class each time, which lives until a full collection. */
class ReadRequest implements TenantRequest {
  readonly #trust: ProxyTrust | undefined;
  readonly [PROVIDERS]: Providers | undefined;

  constructor(
    readonly raw: PlatformRequest,
    trust: ProxyTrust | undefined,
    providers: Providers | undefined,
  ) {
    this.#trust = trust;
    this[PROVIDERS] = providers;
  }

  get host(): string {
    return hostOf(this.raw, this.#trust);
  }

  get url(): string {
    return targetOf(this.raw);
  }

  get ip(): string | undefined {
    return this.#trust ? proxyAddress(this.raw, this.#trust) : (this.raw.ip ?? this.raw.socket.remoteAddress);
  }

  readonly header = (name: string): string | undefined => headerOf(this.raw, name.toLowerCase());
}

/**
 * `ACME.Example.com.:3000` becomes `acme.example.com`, and `bücher.example`, as Node hands its UTF-8 over, punycode;
 * what cannot be a host becomes `''`.
 */
export function normalizeHost(text: string): string {
  const [, name = ''] = HOST.exec(decoded(text).toLowerCase()) ?? [];
  const host = name.endsWith('.') ? name.slice(0, -1) : name;
  // Were it left, whoever reads the host as a domain would take the second dot away.
  if (host.endsWith('.')) return '';
  return isAscii(host) ? host : (normalizeDomain(host) ?? '');
}

function hostOf(raw: PlatformRequest, trust: ProxyTrust | undefined): string {
  const sent = sentHost(raw);
  // A request that contradicts itself, or is none by RFC 9112, 3.2, is not mended by what a proxy says of it.
  if (sent === '') return '';
  // Where there is none Express says undefined and Fastify ''.
  const forwarded = trust ? forwardedHost(raw, trust) : raw.hostname || undefined;
  return forwarded === undefined || forwarded === sent ? (sent ?? '') : normalizeHost(forwarded);
}

/**
 * The host that the request itself names; `''` when it is malformed, or named differently in different places: by
 * RFC 9112, 3.2.2 an absolute target goes before `Host`, and by RFC 9113, 8.3.1 so does `:authority`, but a proxy, a
 * router or a log may have gone by the other. `undefined` when it names none.
 */
function sentHost(raw: PlatformRequest): string | undefined {
  const [header, repeated] = valuesOf(raw, 'host');
  if (repeated !== undefined) return '';
  const authority = raw.headers[':authority'] as string | undefined;
  let host: string | undefined;
  for (const text of [header, authority, authorityOf(targetOf(raw))]) {
    if (text === undefined) continue;
    const named = normalizeHost(text);
    if (host !== undefined && host !== named) return '';
    host = named;
  }
  return host;
}

/** The URL as it was sent, which a router or `stripTenantPath()` may have shortened. */
function targetOf(raw: PlatformRequest): string {
  return keptOriginalUrl(raw) ?? raw.originalUrl ?? raw.url ?? '';
}

/** `example.com` of `http://example.com/orders`; `undefined` of `/orders`, and `''`, which is no host, of anything else. */
function authorityOf(target: string): string | undefined {
  if (target === '' || target.startsWith('/') || target === '*') return undefined;
  return ABSOLUTE_TARGET.exec(target)?.[1] ?? '';
}

/** What a trusted proxy says the host was; `''` when it says several; `undefined` when it says nothing. */
function forwardedHost(raw: IncomingMessage, trust: ProxyTrust): string | undefined {
  const header = headerOf(raw, 'x-forwarded-host');
  if (!header || !trust(raw.socket.remoteAddress ?? '', 0)) return undefined;
  const [host, ...others] = new Set(header.split(',').map((each) => each.trim()));
  return others.length === 0 ? host : '';
}

function headerOf(raw: IncomingMessage, name: string): string | undefined {
  if (KEPT_ONCE.has(name)) {
    const values = valuesOf(raw, name);
    if (values.length > 1) return values.join(', ');
  }
  // Node's headers are an ordinary object: `constructor` is on its prototype.
  const value = Object.hasOwn(raw.headers, name) ? raw.headers[name] : undefined;
  return Array.isArray(value) ? value.join(', ') : value;
}

/** Adds a header that came later than the others, as Node would have read it among them. `name` in lower case. */
export function addHeader({ headers, rawHeaders }: IncomingMessage, name: string, value: string): void {
  rawHeaders.push(name, value);
  const before = Object.hasOwn(headers, name) ? headers[name] : undefined;
  if (before === undefined) headers[name] = value;
  else if (!KEPT_ONCE.has(name)) headers[name] = [before, value].flat().join(name === 'cookie' ? '; ' : ', ');
}

/** Every value of a header. `rawHeaders` lists names and values in turn. */
function valuesOf({ rawHeaders }: IncomingMessage, name: string): string[] {
  return rawHeaders.filter((_text, index) => index % 2 === 1 && isNamed(rawHeaders[index - 1], name));
}

function isNamed(header: string, name: string): boolean {
  return header.length === name.length && header.toLowerCase() === name;
}

/** Node reads a header's bytes as Latin-1. Not UTF-8: what comes out holds U+FFFD, which no host may. */
function decoded(text: string): string {
  return /[\x80-\xff]/.test(text) ? Buffer.from(text, 'latin1').toString() : text;
}

function isAscii(text: string): boolean {
  return !/[^\0-\x7f]/.test(text);
}

const ORIGINAL_URL = Symbol('nestjs-tenancy original URL');

type RewrittenRequest = object & { [ORIGINAL_URL]?: string };

/**
 * Keeps the URL that a request came with before it is rewritten. The first one kept stays. A place of our own: under
 * Nest on Fastify `originalUrl` says what the URL was rewritten to.
 */
export function keepOriginalUrl(raw: object, url: string): void {
  (raw as RewrittenRequest)[ORIGINAL_URL] ??= url;
}

/** The URL that was kept, if the request was rewritten. */
export function keptOriginalUrl(raw: object): string | undefined {
  return (raw as RewrittenRequest)[ORIGINAL_URL];
}

/** Whether a proxy is believed: its address, and how many proxies stand between it and this server. */
export type ProxyTrust = (address: string, hop: number) => boolean;

/**
 * Trust in these proxies and no others: addresses, CIDR ranges, or the names `loopback`, `linklocal` and `uniquelocal`.
 * A peer without an address, on a Unix socket, is none of them.
 *
 * @throws TypeError for what is none of these
 */
export function trustIn(proxies: readonly string[]): ProxyTrust {
  return compile([...proxies]);
}
