import type { IncomingMessage } from 'node:http';
import type { TenantRequest } from './tenant-resolver';

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

/** What resolvers see of a request of either platform. Each part is read when it is asked for: most ask for one. */
export function toTenantRequest(raw: PlatformRequest): TenantRequest {
  return {
    get host() {
      return hostOf(raw);
    },
    get url() {
      return raw.originalUrl ?? raw.url ?? '';
    },
    get ip() {
      return raw.ip ?? raw.socket.remoteAddress;
    },
    raw,
    header: (name) => headerOf(raw, name.toLowerCase()),
  };
}

/** `ACME.Example.com.:3000` becomes `acme.example.com`; what cannot be a host becomes `''`. */
export function normalizeHost(text: string): string {
  const [, name = ''] = HOST.exec(text.toLowerCase()) ?? [];
  return name.endsWith('.') ? name.slice(0, -1) : name;
}

function hostOf(raw: PlatformRequest): string {
  // Node keeps the first of several Host headers and says nothing; a proxy may have routed by the last (RFC 9112, 3.2).
  if (countHostHeaders(raw.rawHeaders) > 1) return '';
  return normalizeHost(raw.hostname ?? raw.headers.host ?? headerOf(raw, ':authority') ?? '');
}

/** `rawHeaders` lists names and values in turn. */
function countHostHeaders(rawHeaders: readonly string[]): number {
  return rawHeaders.filter(
    (text, index) => index % 2 === 0 && text.length === 4 && text.toLowerCase() === 'host',
  ).length;
}

function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  // Node's headers are an ordinary object: `constructor` is on its prototype.
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
  return Array.isArray(value) ? value.join(', ') : value;
}
