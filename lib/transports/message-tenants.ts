import { type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { TenantLookup } from '../registry/cache/tenant-lookup';
import { isClaim } from '../registry/claim';
import type { Tenant } from '../registry/tenant';
import { MessageTenantReaderError } from './transports.errors';
import { TRANSPORTS_OPTIONS, type TenancyTransportsOptions } from './transports.options';

/** Finds the active tenant that a microservice's message names. */
@Injectable()
export class MessageTenants {
  constructor(
    @Inject(TRANSPORTS_OPTIONS) private readonly options: TenancyTransportsOptions,
    private readonly lookup: TenantLookup,
  ) {}

  /**
   * `undefined` when the message makes no claim. Messages have no fallback tenant, because their sender is a program of
   * yours, which knows the tenant.
   *
   * @throws TenantNotFoundError, TenantNotActiveError, TenancyUnavailableError as over HTTP
   * @throws MessageTenantReaderError when there is no reader, or it returns something else than a claim
   * @throws the reader's own error
   */
  async resolve(message: ExecutionContext): Promise<Tenant | undefined> {
    const { tenantOf } = this.options;
    if (!tenantOf) throw new MessageTenantReaderError('No option says how to read the tenant of a message.');
    const claim: unknown = await tenantOf(message);
    if (claim === undefined) return undefined;
    if (!isClaim(claim))
      throw new MessageTenantReaderError('tenantOf() returned something that is not a claim.');
    return this.lookup.findActive(claim);
  }
}
