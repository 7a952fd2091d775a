import { Injectable } from '@nestjs/common';
import { TenantLookup } from '../registry/cache/tenant-lookup';
import { normalizeDomain } from '../registry/domain';
import { TenantResolution } from '../resolution/tenant-resolution';

/** Which hosts are served, so that a proxy may get a certificate for them. */
@Injectable()
export class ServedHosts {
  constructor(
    private readonly lookup: TenantLookup,
    private readonly resolution: TenantResolution,
  ) {}

  /**
   * Whether this is a domain of an active tenant, or a host that `fromSubdomain()` or `fromDomain()` of the application finds
   * one by. Whatever it is: malformed, it is nobody's.
   *
   * @throws TenancyUnavailableError when the registry cannot answer
   */
  async has(host: unknown): Promise<boolean> {
    const domain = normalizeDomain(host);
    if (domain === undefined) return false;
    const tenant =
      (await this.lookup.find({ by: 'domain', value: domain })) ?? (await this.resolution.ofHost(domain));
    return tenant?.status === 'active';
  }
}
