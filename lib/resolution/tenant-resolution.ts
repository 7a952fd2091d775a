import { Inject, Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { isClaim } from '../registry/claim';
import type { Tenant } from '../registry/tenant';
import { TenantNotActiveError, TenantNotFoundError } from '../registry/tenant.errors';
import { InvalidClaimError, TenantChoiceRequiredError, TenantMismatchError } from './resolution.errors';
import { RESOLUTION_OPTIONS, type ResolutionOptions } from './resolution.options';
import { TenantLookup } from '../registry/cache/tenant-lookup';
import { type PlatformRequest, toTenantRequest, type ProxyTrust, trustIn } from './http/tenant-request';
import {
  type Providers,
  type RequestClaim,
  type TenantRequest,
  type TenantResolver,
  VARY_OF_HOST,
} from './resolvers/tenant-resolver';

/** From a request to the active tenant it names. */
@Injectable()
export class TenantResolution {
  readonly #providers: Providers;
  readonly #trust: ProxyTrust | undefined;
  readonly #resolvers: readonly TenantResolver[];
  /** Index of the last resolver that reads a credential; -1 without any. A claim of a later one decides at once. */
  readonly #lastCredential: number;
  /** What of a request decides on its tenant, as `Vary` names it (RFC 9110, 12.5.5); none when its URL alone does. */
  readonly vary: readonly string[];
  /** The headers by which a request may name its tenant, without those of credentials; `Host` for the host. */
  readonly chosenBy: readonly string[];
  /** Which of our credentials the resolvers read. `unknown`: a resolver of the application does not say. */
  readonly reads: ReadonlySet<string>;

  constructor(
    @Inject(RESOLUTION_OPTIONS) private readonly options: ResolutionOptions,
    private readonly lookup: TenantLookup,
    moduleRef: ModuleRef,
  ) {
    const { resolvers, trustedProxies } = options;
    const providers: Providers = { get: (token) => moduleRef.get(token, { strict: false }) };
    this.#providers = providers;
    this.#resolvers = resolvers.map((each) => each.within?.(providers) ?? each);
    this.#trust = trustedProxies && trustIn(trustedProxies);
    this.vary = options.vary === false ? [] : resolvers.flatMap(({ vary = ['*'] }) => vary);
    this.chosenBy = resolvers
      .filter(({ credential }) => credential !== true)
      .flatMap(({ vary = [] }) => (vary === VARY_OF_HOST ? ['Host'] : vary))
      .filter((name, index, names) => names.indexOf(name) === index);
    this.reads = new Set(resolvers.map(({ reads = 'unknown' }) => reads));
    this.#lastCredential = resolvers.map(({ credential }) => credential === true).lastIndexOf(true);
  }

  /** The view of a request that resolvers get, the same on both platforms. */
  requestOf(raw: PlatformRequest): TenantRequest {
    return toTenantRequest(raw, this.#trust, this.#providers);
  }

  /**
   * The tenant of the first claim; without a claim the fallback tenant, if there is one. A request that brings a
   * credential must not name another tenant in any place. Returns at once when the resolvers are synchronous, the
   * registry's answer is cached and no other resolver must agree, as for nearly every request without credentials;
   * otherwise returns a promise.
   *
   * @throws TenantNotFoundError, TenantNotActiveError, TenantMismatchError, TenantChoiceRequiredError,
   * TenancyUnavailableError
   * @throws InvalidClaimError when a resolver returns something that is not a claim; and whatever a resolver throws
   */
  resolve(request: TenantRequest): Tenant | Promise<Tenant | undefined> {
    const resolvers = this.#resolvers;
    for (let index = 0; index < resolvers.length; index++) {
      const claim: unknown = resolvers[index](request);
      if (claim === undefined) continue;
      const isLast = index > this.#lastCredential || index === resolvers.length - 1;
      const tenant = isLast && isClaim(claim) ? this.lookup.remembered(claim) : undefined;
      return tenant ? requireActive(tenant) : this.#resolveFrom(request, index, claim);
    }
    return this.#resolveFrom(request, resolvers.length, undefined);
  }

  /** Goes on with what the resolver at `start` has given: a claim or the promise of one. */
  async #resolveFrom(request: TenantRequest, start: number, first: unknown): Promise<Tenant | undefined> {
    const resolvers = this.#resolvers;
    let decided: Tenant | undefined;
    let hasCredential = false;
    const choices: (readonly RequestClaim[])[] = [];
    const left = Array.from({ length: resolvers.length - start }, (_, index) => start + index);
    const passedOver: number[] = [];
    for (let index = left.shift(); index !== undefined; index = left.shift()) {
      const isCredential = resolvers[index].credential === true;
      if (decided && !isCredential && !hasCredential) {
        passedOver.push(index);
        continue;
      }
      const claim: unknown = await (index === start ? first : resolvers[index](request));
      if (claim === undefined) continue;
      // Once there is a credential, all claims count, also those of resolvers that were skipped before.
      if (isCredential && !hasCredential) {
        hasCredential = true;
        left.push(...passedOver);
      }
      if (isCredential && isChoice(claim)) {
        choices.push(claim);
        continue;
      }
      if (!isClaim(claim)) throw new InvalidClaimError(index);
      const tenant = await this.#find(claim);
      // Any host name may point at this server; only a registered domain names a tenant.
      if (!tenant && claim.by === 'domain' && !isCredential) continue;
      if (decided && tenant?.id !== decided.id) throw new TenantMismatchError();
      decided = required(tenant);
    }
    if (!decided) {
      // The fallback is for requests without any claim.
      if (choices.length > 0) throw new TenantChoiceRequiredError();
      return this.#fallback();
    }
    for (const choice of choices) if (!isAmong(decided, choice)) throw new TenantMismatchError();
    return requireActive(decided);
  }

  /**
   * Verifies the credentials of a request that was refused before they were read. Each is stored with the
   * request. Whether they agree with other claims is not checked.
   *
   * @throws whatever the resolvers throw
   */
  async verifyCredentials(request: TenantRequest): Promise<void> {
    for (const resolver of this.#resolvers) if (resolver.credential) await resolver(request);
  }

  /**
   * The tenant that our resolvers by host would find for requests to a host, whatever its status. Others may read what no
   * host tells.
   */
  async ofHost(host: string): Promise<Tenant | undefined> {
    const request: TenantRequest = { host, url: '/', header: () => undefined, raw: NO_REQUEST };
    for (const resolver of this.#resolvers) {
      if (resolver.vary !== VARY_OF_HOST) continue;
      const claim = await resolver(request);
      const tenant = claim && (await this.#find(claim));
      if (tenant) return tenant;
      // As for requests: a registered domain is one of many hosts, a subdomain decides.
      if (claim && claim.by !== 'domain') return undefined;
    }
    return undefined;
  }

  async #find(claim: RequestClaim): Promise<Tenant | undefined> {
    const tenant = await this.lookup.find(claim);
    if (tenant || claim.by !== 'domain' || claim.wildcard === undefined) return tenant;
    return this.lookup.find({ by: 'domain', value: claim.wildcard });
  }

  async #fallback(): Promise<Tenant | undefined> {
    const { fallbackTenant } = this.options;
    if (fallbackTenant === undefined) return undefined;
    return this.lookup.findActive({ by: 'slug', value: fallbackTenant });
  }
}

/** Resolvers by host do not look at it. */
const NO_REQUEST = { headers: {}, rawHeaders: [] } as unknown as TenantRequest['raw'];

function isChoice(claims: unknown): claims is readonly RequestClaim[] {
  return Array.isArray(claims) && claims.every(isClaim);
}

/** Whether one of the claims names the tenant. Compares texts, so that the registry need not be asked. */
function isAmong({ id, slug }: Tenant, choice: readonly RequestClaim[]): boolean {
  return choice.some(
    ({ by, value }) => (by === 'id' && value.toLowerCase() === id) || (by === 'slug' && value === slug),
  );
}

function required(tenant: Tenant | undefined): Tenant {
  if (!tenant) throw new TenantNotFoundError();
  return tenant;
}

function requireActive(tenant: Tenant): Tenant {
  if (tenant.status !== 'active') throw new TenantNotActiveError(tenant.slug, tenant.status);
  return tenant;
}
