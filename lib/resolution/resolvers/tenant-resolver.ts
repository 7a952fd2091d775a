import type { IncomingMessage } from 'node:http';
import type { TenantClaim } from '../../registry/tenant';

/** What a resolver may read of a request, the same on Express and Fastify. Everything in it came from the caller. */
export interface TenantRequest {
  /**
   * Lower case, IDN as punycode, without port and one trailing dot; IPv6 in brackets; `''` when absent, repeated or
   * malformed, and when an absolute request target or `:authority` names another one than `Host`. `X-Forwarded-Host`
   * counts when the proxy is trusted: by the module's `trustedProxies`, or without that option by `app.set('trust
   * proxy', …)` on Express and `trustProxy` on Fastify.
   */
  readonly host: string;
  /**
   * The path and query as they were sent, `/t/acme/orders?page=2`, even when `stripTenantPath()` has shortened them.
   */
  readonly url: string;
  /** The caller's address. As with the host, a proxy's header counts only when the proxy is trusted. */
  readonly ip?: string;
  readonly raw: IncomingMessage;
  /** A header by its name in any case; `undefined` when absent. A repeated one is joined with `, `. */
  header(name: string): string | undefined;
}

/** A claim by domain may name a second domain, `*.acme.com`, that is looked up when no tenant has the first. */
export interface RequestClaim extends TenantClaim {
  readonly wildcard?: string;
}

/** Of a credential: one claim, or several of which the request must choose one, or `undefined` for none. */
export type CredentialClaims = RequestClaim | readonly RequestClaim[] | undefined;

/** The providers of all modules of an application. */
export interface Providers {
  /** Throws when there is no such provider. */
  get<Provider>(token: abstract new (...args: never[]) => Provider): Provider;
}

/**
 * What a request says about its tenant, or `undefined` when it says nothing. The first resolver that makes a claim
 * decides; when one of them reads a credential, all claims must agree. What it throws fails the request: it never
 * counts as "no claim".
 */
export interface TenantResolver {
  (request: TenantRequest): RequestClaim | undefined | Promise<RequestClaim | undefined>;
  /**
   * It reads a credential: it is called even when the tenant is found, and all other claims must agree with it. See
   * `credentialResolver()`.
   */
  readonly credential?: boolean;
  /**
   * Names of the headers that it reads, `Host` for the host and none for the URL: they go into `Vary`, so that a cache
   * gives no tenant another's answers. Without it they are not known, and answers say `Vary: *`, which no cache keeps.
   */
  readonly vary?: readonly string[];
  /**
   * Which of our credentials it stores with a request, for the guards that authenticate. A resolver of yours that calls
   * `fromApiKey()` or `fromJwtClaim()` must say so here.
   */
  readonly reads?: 'access_token' | 'api_key' | 'none';
  /** Makes the resolver that replaces this one: one for each application, which may use the application's providers. */
  readonly within?: (providers: Providers) => TenantResolver;
}

/**
 * The headers that the host is read from. A proxy's header counts only when the proxy is trusted, which a cache cannot
 * know.
 */
export const VARY_OF_HOST: readonly string[] = ['Host', 'X-Forwarded-Host'];
