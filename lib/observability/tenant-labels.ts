import type { Tenant, TenantClaim } from '../registry/tenant';
import { TopTenants } from './top-tenants';
import { within } from '../common/within';

/** All tenants that have no series of their own. */
export const OTHER = 'other';

/** Work that is nobody's. */
export const NOBODY = 'none';

/** Longer ones are cut by many a store of metrics; slugs of ours have 60 characters at most. */
const MAX_LABEL_LENGTH = 64;

/** Prometheus waits for ten seconds. */
const MAX_LOOK_UP_MS = 1_000;

/** Gives each tenant a label, of which there are few. */
export class TenantLabels {
  readonly #top: TopTenants;
  readonly #byId = new Map<string, string>();

  constructor(
    maxTenants: number,
    private readonly find: (claim: TenantClaim) => Promise<Tenant | undefined>,
  ) {
    this.#top = new TopTenants(maxTenants);
  }

  /** Notes that a tenant asked for something, and gives its label. */
  note(tenant: Pick<Tenant, 'id' | 'slug'> | undefined): string {
    if (!tenant) return NOBODY;
    this.#top.add(tenant.id);
    if (!this.#top.has(tenant.id)) return OTHER;
    return this.#byId.get(tenant.id) ?? this.#give(tenant.id, tenant.slug);
  }

  /** Notes what tenants had of the connections, and gives labels to the greatest; one that cannot be looked up has its id. */
  async noteLoads(loads: readonly { readonly tenantId: string; readonly leases: number }[]): Promise<void> {
    for (const { tenantId, leases } of loads) this.#top.add(tenantId, leases);
    const nameless = loads.filter(({ tenantId }) => this.#top.has(tenantId) && !this.#byId.has(tenantId));
    const found = await Promise.all(nameless.map(({ tenantId }) => this.#lookUp(tenantId)));
    nameless.forEach(({ tenantId }, index) => {
      if (this.#top.has(tenantId) && !this.#byId.has(tenantId))
        this.#give(tenantId, found[index] ?? tenantId);
    });
  }

  labelOf(tenantId: string): string {
    return this.#byId.get(tenantId) ?? OTHER;
  }

  /** Ranks anew, and gives the labels that are no longer used. */
  rank(): string[] {
    return this.#top.rank().flatMap((tenantId) => {
      const label = this.#byId.get(tenantId);
      this.#byId.delete(tenantId);
      return label ?? [];
    });
  }

  async #lookUp(tenantId: string): Promise<string | undefined> {
    try {
      return (await within(MAX_LOOK_UP_MS, this.find({ by: 'id', value: tenantId })))?.slug;
    } catch {
      return undefined;
    }
  }

  /** It stays the same while the tenant has it, though the slug may change. Two never share one. */
  #give(tenantId: string, slug: string): string {
    const isFree = ![OTHER, NOBODY, ...this.#byId.values()].includes(slug);
    const label = isFree && slug.length <= MAX_LABEL_LENGTH ? slug : tenantId;
    this.#byId.set(tenantId, label);
    return label;
  }
}
