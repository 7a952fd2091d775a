import { Inject, Injectable, Optional } from '@nestjs/common';
import { CLOCK, type Clock, systemClock } from '../../common/clock';
import { freezeDeeply } from '../../common/freeze-deeply';
import { normalizeClaim } from '../claim';
import type { Tenant, TenantClaim } from '../tenant';
import { NoTenantChanges, TenantChangeFeed } from '../changes/tenant-changes';
import { TenantStore } from '../store/tenant.store';
import { askStore } from './ask-store';
import { type ClaimName, keyOf, nameOf, standInFor } from './claim-name';
import { RegistryLookup } from './registry-lookup';
import { REGISTRY_OPTIONS, type RegistryModuleOptions } from '../registry.options';

/** The tenants that claims name, remembered as `RegistryLookup` says. */
@Injectable()
export class TenantLookup {
  readonly #answers: RegistryLookup<ClaimName, Tenant>;

  constructor(
    store: TenantStore,
    @Inject(REGISTRY_OPTIONS) { cache = {} }: Pick<RegistryModuleOptions, 'cache'>,
    @Optional() @Inject(CLOCK) clock: Clock = systemClock,
    @Optional() feed: TenantChangeFeed = new NoTenantChanges(),
  ) {
    this.#answers = new RegistryLookup<ClaimName, Tenant>({
      askAll: (names) => askFor(store, names),
      tenantIdOf: ({ id }) => id,
      cache,
      clock,
      feed,
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
    const name = nameOf(claim);
    return this.#answers.find(name.key, name);
  }

  /** The tenant a claim names if it is remembered, at once; `undefined` says nothing. */
  remembered(claim: TenantClaim): Tenant | undefined {
    const known = normalizeClaim(claim);
    return known && this.#answers.remembered(keyOf(known));
  }

  /** Drops what is remembered of a tenant, and every "nobody", since a changed tenant may have a new name. */
  forget({ id }: Pick<Tenant, 'id'>): void {
    this.#answers.forget(id);
  }

  /** Drops everything that is remembered. */
  clear(): void {
    this.#answers.clear();
  }

  /** How many names are held: at most `maxEntries` of tenants and of nobody, and 10,500 waiting. */
  get size(): { readonly tenants: number; readonly absent: number; readonly waiting: number } {
    const { found, absent, waiting } = this.#answers.size;
    return { tenants: found, absent, waiting };
  }
}

/** For a malformed claim another name is asked for, whose answer says nothing of a tenant. */
async function askFor(
  store: TenantStore,
  names: readonly ClaimName[],
): Promise<readonly (Tenant | undefined)[]> {
  const answers = await askStore(
    store,
    names.map(({ claim, by }) => claim ?? standInFor(by)),
  );
  // A store of the application's own may give what can be changed.
  return answers.map((tenant, index) => names[index].claim && freezeDeeply(tenant));
}
