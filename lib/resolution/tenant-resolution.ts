import { Inject, Injectable } from '@nestjs/common';
import type { Tenant, TenantClaim } from '../tenant/tenant';
import { TenantNotActiveError, TenantNotFoundError } from '../tenant/tenant.errors';
import { InvalidClaimError } from './resolution.errors';
import { RESOLUTION_OPTIONS, type ResolutionOptions } from './resolution.options';
import { TenantLookup } from './tenant-lookup';
import type { TenantRequest } from './tenant-resolver';

const CLAIM_KINDS: readonly unknown[] = ['slug', 'id', 'domain'] satisfies TenantClaim['by'][];

/** From a request to the active tenant it names. */
@Injectable()
export class TenantResolution {
  constructor(
    @Inject(RESOLUTION_OPTIONS) private readonly options: ResolutionOptions,
    private readonly lookup: TenantLookup,
  ) {}

  /**
   * The tenant of the first claim; without a claim the fallback tenant, if there is one. At once when the resolvers are
   * synchronous and the registry's answer is remembered, as for nearly every request; else as a promise.
   *
   * @throws TenantNotFoundError, TenantNotActiveError, TenancyUnavailableError
   * @throws InvalidClaimError for a resolver that gives no claim; and whatever a resolver throws
   */
  resolve(request: TenantRequest): Tenant | Promise<Tenant | undefined> {
    const { resolvers } = this.options;
    for (let index = 0; index < resolvers.length; index++) {
      const claim: unknown = resolvers[index](request);
      if (claim === undefined) continue;
      const tenant = isClaim(claim) ? this.lookup.remembered(claim) : undefined;
      return tenant ? requireActive(tenant) : this.#resolveFrom(request, index, claim);
    }
    return this.#resolveFrom(request, resolvers.length, undefined);
  }

  /** Goes on with what the resolver at `start` has given: a claim or the promise of one. */
  async #resolveFrom(request: TenantRequest, start: number, first: unknown): Promise<Tenant | undefined> {
    const { resolvers } = this.options;
    for (let index = start; index < resolvers.length; index++) {
      const claim: unknown = await (index === start ? first : resolvers[index](request));
      if (claim === undefined) continue;
      if (!isClaim(claim)) throw new InvalidClaimError(index);
      const tenant = await this.lookup.find(claim);
      // Any host may point at this server; only a registered one says whose it is.
      if (!tenant && claim.by === 'domain') continue;
      return requireActive(tenant);
    }
    return this.#fallback();
  }

  async #fallback(): Promise<Tenant | undefined> {
    const { fallbackTenant } = this.options;
    if (fallbackTenant === undefined) return undefined;
    return requireActive(await this.lookup.find({ by: 'slug', value: fallbackTenant }));
  }
}

function isClaim(claim: unknown): claim is TenantClaim {
  if (typeof claim !== 'object' || claim === null) return false;
  const { by, value } = claim as Partial<Record<keyof TenantClaim, unknown>>;
  return CLAIM_KINDS.includes(by) && typeof value === 'string';
}

function requireActive(tenant: Tenant | undefined): Tenant {
  if (!tenant) throw new TenantNotFoundError();
  if (tenant.status !== 'active') throw new TenantNotActiveError(tenant.slug, tenant.status);
  return tenant;
}
