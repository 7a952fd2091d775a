import type { IncomingMessage } from 'node:http';
import type { TenantClaim } from '../tenant/tenant';

/** What a resolver may read of a request, the same on Express and Fastify. Everything in it came from the caller. */
export interface TenantRequest {
  /**
   * Lower case, without port and one trailing dot; IPv6 in brackets; `''` when absent, repeated or malformed.
   * `X-Forwarded-Host` counts when the application trusts its proxy: `app.set('trust proxy', …)` on Express,
   * `trustProxy` on Fastify.
   */
  readonly host: string;
  /** The path and query as they were sent, `/orders?page=2`. */
  readonly url: string;
  /** The caller's address, which the application's trust in its proxy decides as well. */
  readonly ip?: string;
  readonly raw: IncomingMessage;
  /** A header by its name in any case; `undefined` when absent. Node joins a repeated one with `, `. */
  header(name: string): string | undefined;
}

/**
 * What a request says about its tenant, or `undefined` when it says nothing. The first resolver that makes a claim
 * decides. What it throws fails the request: it never counts as "no claim".
 */
export type TenantResolver = (
  request: TenantRequest,
) => TenantClaim | undefined | Promise<TenantClaim | undefined>;
