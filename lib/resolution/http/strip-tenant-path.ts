import { keepOriginalUrl } from './tenant-request';
import { tenantPathReader, type TenantPathOptions } from '../resolvers/tenant-path';

/** What there is to a request of Node, of HTTP/1 and HTTP/2 alike, and of Express. */
interface RewritableRequest {
  url?: string;
  readonly originalUrl?: string;
}

/** Middleware for Express, and what Fastify calls `rewriteUrl`. */
export interface TenantPathStripper {
  /** The URL without the tenant's part. */
  (request: RewritableRequest): string;
  /** Takes the tenant's part from the request's URL. */
  (request: RewritableRequest, response: unknown, next: () => void): void;
}

/**
 * Takes `/t/acme` from `/t/acme/orders` before the request is routed, so that routes are declared as `orders`:
 * `app.use(stripTenantPath())` on Express, `new FastifyAdapter({ rewriteUrl: stripTenantPath() })` on Fastify, where a
 * middleware comes too late. Give it what `fromPath` is given, which goes on reading the URL as it was sent.
 *
 * @throws TypeError for a prefix that is none
 */
export function stripTenantPath(options: TenantPathOptions = {}): TenantPathStripper {
  const read = tenantPathReader(options, 'stripTenantPath');
  const strip = (request: RewritableRequest): string => {
    const url = request.url ?? '';
    keepOriginalUrl(request, request.originalUrl ?? url);
    return read(url)?.rest ?? url;
  };
  function stripper(request: RewritableRequest): string;
  function stripper(request: RewritableRequest, response: unknown, next: () => void): void;
  function stripper(request: RewritableRequest, _response?: unknown, next?: () => void): string | void {
    const url = strip(request);
    if (!next) return url;
    request.url = url;
    next();
  }
  return stripper;
}
