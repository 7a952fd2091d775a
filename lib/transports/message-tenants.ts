import { type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { TenantLookup } from '../registry/cache/tenant-lookup';
import { isClaim } from '../registry/claim';
import type { Tenant } from '../registry/tenant';
import { TenantNotActiveError, TenantNotFoundError } from '../registry/tenant.errors';
import { MessageTenantReaderError } from './transports.errors';
import { TRANSPORTS_OPTIONS, type TenancyTransportsOptions } from './transports.options';

/** From a microservice's message to the active tenant it names. */
@Injectable()
export class MessageTenants {
  constructor(
    @Inject(TRANSPORTS_OPTIONS) private readonly options: TenancyTransportsOptions,
    private readonly lookup: TenantLookup,
  ) {}

  /**
   * `undefined` when the message makes no claim. There is no fallback tenant for messages: their sender is a program
   * of yours, which knows whom it means.
   *
   * @throws TenantNotFoundError, TenantNotActiveError, TenancyUnavailableError
   * @throws MessageTenantReaderError without a reader, or when it gives no claim; and whatever the reader throws
   */
  async resolve(message: ExecutionContext): Promise<Tenant | undefined> {
    const { tenantOf } = this.options;
    if (!tenantOf) throw new MessageTenantReaderError('Nothing says whom a message is for.');
    const claim: unknown = await tenantOf(message);
    if (claim === undefined) return undefined;
    if (!isClaim(claim)) throw new MessageTenantReaderError('tenantOf() gave something that is not a claim.');
    const tenant = await this.lookup.find(claim);
    if (!tenant) throw new TenantNotFoundError();
    if (tenant.status !== 'active') throw new TenantNotActiveError(tenant.slug, tenant.status);
    return tenant;
  }
}
