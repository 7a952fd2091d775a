import { Inject, Injectable } from '@nestjs/common';
import type { Tenant, TenantClaim } from '../tenant/tenant';
import { TenantNotActiveError, TenantNotFoundError } from '../tenant/tenant.errors';
import { InvalidClaimError, TenantMismatchError } from './resolution.errors';
import { RESOLUTION_OPTIONS, type ResolutionOptions } from './resolution.options';
import { TenantLookup } from './tenant-lookup';
import { type PlatformRequest, toTenantRequest } from './tenant-request';
import type { RequestClaim, TenantRequest } from './tenant-resolver';
import { type ProxyTrust, trustIn } from './trusted-proxies';

const CLAIM_KINDS: readonly unknown[] = ['slug', 'id', 'domain'] satisfies TenantClaim['by'][];

/** From a request to the active tenant it names. */
@Injectable()
export class TenantResolution {
  readonly #trust: ProxyTrust | undefined;
  /** Up to this index the resolvers that follow a claim have to be asked whether they agree; -1 without any. */
  readonly #lastCredential: number;

  constructor(
    @Inject(RESOLUTION_OPTIONS) private readonly options: ResolutionOptions,
    private readonly lookup: TenantLookup,
  ) {
    const { resolvers, trustedProxies } = options;
    this.#trust = trustedProxies && trustIn(trustedProxies);
    this.#lastCredential = resolvers.map(({ credential }) => credential === true).lastIndexOf(true);
  }

  /** What resolvers see of a request of either platform. */
  requestOf(raw: PlatformRequest): TenantRequest {
    return toTenantRequest(raw, this.#trust);
  }

  /**
   * The tenant of the first claim; without a claim the fallback tenant, if there is one. At once when the resolvers are
   * synchronous and the registry's answer is remembered, as for nearly every request; else as a promise.
   *
   * @throws TenantNotFoundError, TenantNotActiveError, TenantMismatchError, TenancyUnavailableError
   * @throws InvalidClaimError for a resolver that gives no claim; and whatever a resolver throws
   */
  resolve(request: TenantRequest): Tenant | Promise<Tenant | undefined> {
    const { resolvers } = this.options;
    for (let index = 0; index < resolvers.length; index++) {
      const claim: unknown = resolvers[index](request);
      if (claim === undefined) continue;
      const tenant =
        isClaim(claim) && index >= this.#lastCredential ? this.lookup.remembered(claim) : undefined;
      return tenant ? requireActive(tenant) : this.#resolveFrom(request, index, claim);
    }
    return this.#resolveFrom(request, resolvers.length, undefined);
  }

  /** Goes on with what the resolver at `start` has given: a claim or the promise of one. */
  async #resolveFrom(request: TenantRequest, start: number, first: unknown): Promise<Tenant | undefined> {
    const { resolvers } = this.options;
    let decided: Tenant | undefined;
    for (let index = start; index < resolvers.length; index++) {
      const isCredential = resolvers[index].credential === true;
      if (decided && !isCredential) continue;
      const claim: unknown = await (index === start ? first : resolvers[index](request));
      if (claim === undefined) continue;
      if (!isClaim(claim)) throw new InvalidClaimError(index);
      const tenant = await this.#find(claim);
      if (decided && tenant?.id !== decided.id) throw new TenantMismatchError();
      // Any host may point at this server; only a registered one says whose it is.
      if (!tenant && claim.by === 'domain' && !isCredential) continue;
      decided = required(tenant);
    }
    return decided ? requireActive(decided) : this.#fallback();
  }

  async #find(claim: RequestClaim): Promise<Tenant | undefined> {
    const tenant = await this.lookup.find(claim);
    if (tenant || claim.by !== 'domain' || claim.wildcard === undefined) return tenant;
    return this.lookup.find({ by: 'domain', value: claim.wildcard });
  }

  async #fallback(): Promise<Tenant | undefined> {
    const { fallbackTenant } = this.options;
    if (fallbackTenant === undefined) return undefined;
    return requireActive(required(await this.lookup.find({ by: 'slug', value: fallbackTenant })));
  }
}

function isClaim(claim: unknown): claim is RequestClaim {
  if (typeof claim !== 'object' || claim === null) return false;
  const { by, value } = claim as Partial<Record<keyof TenantClaim, unknown>>;
  return CLAIM_KINDS.includes(by) && typeof value === 'string';
}

function required(tenant: Tenant | undefined): Tenant {
  if (!tenant) throw new TenantNotFoundError();
  return tenant;
}

function requireActive(tenant: Tenant): Tenant {
  if (tenant.status !== 'active') throw new TenantNotActiveError(tenant.slug, tenant.status);
  return tenant;
}
