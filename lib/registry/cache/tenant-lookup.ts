import { Inject, Injectable } from '@nestjs/common';
import { freezeDeeply } from '../../common/freeze-deeply';
import { normalizeClaim } from '../claim';
import type { Tenant, TenantClaim } from '../tenant';
import { TenantStore } from '../store/tenant.store';
import { TenantNotActiveError, TenantNotFoundError } from '../tenant.errors';
import { type RegistryLookup, RegistryLookups } from './registry-lookup';
import { REGISTRY_OPTIONS, type RegistryModuleOptions } from '../registry.options';
import { createHash, randomUUID } from 'node:crypto';

/** Finds the tenants of claims, with the cache of `RegistryLookup`. */
@Injectable()
export class TenantLookup {
  readonly #answers: RegistryLookup<ClaimName, Tenant>;

  constructor(
    store: TenantStore,
    @Inject(REGISTRY_OPTIONS) { cache = {} }: Pick<RegistryModuleOptions, 'cache'>,
    lookups: RegistryLookups = new RegistryLookups(),
  ) {
    this.#answers = lookups.make<ClaimName, Tenant>({
      askAll: (names) => askFor(store, names),
      tenantIdOf: ({ id }) => id,
      cache,
    });
  }

  /**
   * The tenant a claim names, whatever its status. A malformed value names nobody; it takes as long as an unknown one.
   *
   * While the store is unavailable, a tenant that was found before is given for `staleIfErrorMs` more.
   *
   * @throws TenancyUnavailableError when the store cannot answer, or 10,000 other names wait; the next call asks again
   */
  find(claim: TenantClaim): Promise<Tenant | undefined> {
    const name = claimNameOf(claim);
    return this.#answers.find(name.key, name);
  }

  /**
   * The same for work that is to be done for the tenant now.
   *
   * @throws TenantNotFoundError, TenantNotActiveError, TenancyUnavailableError
   */
  async findActive(claim: TenantClaim): Promise<Tenant> {
    const tenant = await this.find(claim);
    if (!tenant) throw new TenantNotFoundError();
    if (tenant.status !== 'active') throw new TenantNotActiveError(tenant.slug, tenant.status);
    return tenant;
  }

  /** The tenant of a claim if it is cached; `undefined` when it is not. */
  remembered(claim: TenantClaim): Tenant | undefined {
    // As it came, for that is how nearly all come: what is not in the registry's spelling is no key of the cache.
    const tenant = this.#answers.remembered(keyOf(claim));
    if (tenant) return tenant;
    const known = normalizeClaim(claim);
    return known && known.value !== claim.value ? this.#answers.remembered(keyOf(known)) : undefined;
  }

  /** Drops the cached answers about a tenant, and all unknown names, because a changed tenant may have a new name. */
  forget({ id }: Pick<Tenant, 'id'>): void {
    this.#answers.forget(id);
  }

  /** Empties the cache. */
  clear(): void {
    this.#answers.clear();
  }

  /** How many names are held: at most `maxEntries` of tenants, as many unknown, and 10,500 waiting. */
  get size(): { readonly tenants: number; readonly absent: number; readonly waiting: number } {
    const { found, absent, waiting } = this.#answers.size;
    return { tenants: found, absent, waiting };
  }
}

/** A malformed claim is replaced by a name that no tenant has, and the answer is ignored. */
async function askFor(
  store: TenantStore,
  names: readonly ClaimName[],
): Promise<readonly (Tenant | undefined)[]> {
  const answers = await askStore(
    store,
    names.map(({ claim, by }) => claim ?? standInFor(by)),
  );
  // A store of the application may return objects that are not frozen.
  return answers.map((tenant, index) => names[index].claim && freezeDeeply(tenant));
}

/** No well-formed value is longer: a domain has at most 253 characters. */
const MAX_KEPT_LENGTH = 256;

const MALFORMED = 'malformed ';

/** The cache key of a claim. */
interface ClaimName {
  /** At most 300 characters, whatever the claim holds. */
  readonly key: string;
  readonly by: TenantClaim['by'];
  /** The claim in the registry's spelling; `undefined` when no tenant can have the name. */
  readonly claim?: TenantClaim;
}

export function claimNameOf({ by, value }: TenantClaim): ClaimName {
  const claim = normalizeClaim({ by, value });
  return { key: claim ? keyOf(claim) : `${MALFORMED}${by} ${shortened(value)}`, by, claim };
}

/** The key of a normalised claim. */
export function keyOf({ by, value }: TenantClaim): string {
  return `${by} ${value}`;
}

/**
 * The name that is looked up in place of a malformed claim. No tenant has it. Without a query a malformed
 * name would be answered sooner than an unknown one. The store never sees the malformed value.
 */
function standInFor(by: TenantClaim['by']): TenantClaim {
  return { by, value: STAND_IN[by](randomUUID()) };
}

const STAND_IN: Readonly<Record<TenantClaim['by'], (uuid: string) => string>> = {
  slug: (uuid) => `nobody-${uuid}`,
  id: (uuid) => uuid,
  // RFC 2606 reserves this name for ever.
  domain: (uuid) => `${uuid}.invalid`,
};

function shortened(value: unknown): string {
  if (typeof value !== 'string') return '';
  return value.length <= MAX_KEPT_LENGTH ? value : createHash('sha256').update(value).digest('hex');
}

/** The store's answers to several claims, in order. A single claim goes through `find()`. */
export async function askStore(
  store: TenantStore,
  claims: readonly TenantClaim[],
): Promise<readonly (Tenant | undefined)[]> {
  if (claims.length === 1) return [await store.find(claims[0])];
  // A store that is a plain object, as in many tests, does not inherit `findMany()`.
  const findMany = store.findMany ?? TenantStore.prototype.findMany;
  const answers = await findMany.call(store, claims);
  if (answers.length === claims.length) return answers;
  throw new Error(`TenantStore.findMany() gave ${answers.length} answers to ${claims.length} claims.`);
}
