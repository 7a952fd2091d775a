import type { IncomingMessage } from 'node:http';
import { Injectable, Logger } from '@nestjs/common';
import { TenantMissingError } from '../resolution/resolution.errors';
import { TenantResolution } from '../resolution/tenant-resolution';
import type { TenantRequest } from '../resolution/resolvers/tenant-resolver';
import type { Tenant } from '../registry/tenant';
import { isCallersFault } from '../resolution/http/client-answer';
import { refuseConnection } from './refuse-connection';
import { HandshakeUnknownError } from './transports.errors';

/** Keeps the requests that opened the current WebSocket connections. They tell for which tenant each message is. */
@Injectable()
export class TenantHandshakes {
  readonly #logger = new Logger('Tenancy');
  readonly #requests = new WeakMap<object, TenantRequest>();
  readonly #refused = new WeakSet<object>();

  constructor(private readonly resolution: TenantResolution) {}

  /**
   * The active tenant of a new connection. Call it first in `handleConnection(client, request)`; with socket.io the
   * request is not needed. If the tenant is missing or refused, the connection is closed and the result is `undefined`.
   * It never rejects.
   */
  async accept(client: object, request?: IncomingMessage): Promise<Tenant | undefined> {
    if (request) this.keep(client, request);
    try {
      const tenant = await this.tenantOf(client);
      if (!tenant) throw new TenantMissingError();
      return tenant;
    } catch (error) {
      this.refuse(client, error);
      return undefined;
    }
  }

  /**
   * Use it instead of `accept` in a gateway whose handlers need no tenant: nothing is refused before a message comes.
   */
  keep(client: object, request: IncomingMessage): void {
    this.#requests.set(client, this.resolution.requestOf(request));
  }

  /**
   * The active tenant that the handshake of a connection names, as the resolvers read it now.
   *
   * @throws HandshakeUnknownError when no handshake was kept for the connection
   * @throws the errors with which a request over HTTP would be refused
   */
  async tenantOf(client: object): Promise<Tenant | undefined> {
    return this.resolution.resolve(this.#requestOf(client));
  }

  /**
   * Closes a connection, once, and tells its client the error's code. Errors that are not the client's fault are
   * logged.
   */
  refuse(client: object, error: unknown): void {
    if (this.#refused.has(client)) return;
    this.#refused.add(client);
    if (!isCallersFault(error)) this.#logger.error(error);
    refuseConnection(client, error);
  }

  /** After a refusal, messages may still come until the other side has closed, too. */
  isRefused(client: object): boolean {
    return this.#refused.has(client);
  }

  #requestOf(client: object): TenantRequest {
    const known = this.#requests.get(client);
    if (known) return known;
    if (!('request' in client)) throw new HandshakeUnknownError();
    const request = this.resolution.requestOf(client.request as IncomingMessage);
    this.#requests.set(client, request);
    return request;
  }
}
