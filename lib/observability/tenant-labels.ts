import type { Tenant, TenantClaim } from '../registry/tenant';
import { TopTenants } from './top-tenants';
import { within } from '../common/within';

/** The label of all tenants that have no series of their own. */
export const OTHER = 'other';

/** The label of work without a tenant. */
export const NOBODY = 'none';

/** Many metric stores cut longer values. Our slugs have 60 characters at most. */
const MAX_LABEL_LENGTH = 64;

/** Prometheus waits ten seconds for an answer. */
const MAX_LOOK_UP_MS = 1_000;

/** Assigns each tenant a label, of which there are few. */
export class TenantLabels {
  readonly #top: TopTenants;
  readonly #byId = new Map<string, string>();

  constructor(
    maxTenants: number,
    private readonly find: (claim: TenantClaim) => Promise<Tenant | undefined>,
  ) {
    this.#top = new TopTenants(maxTenants);
  }

  /** Notes a request of a tenant, and returns the tenant's label. */
  note(tenant: Pick<Tenant, 'id' | 'slug'> | undefined): string {
    if (!tenant) return NOBODY;
    this.#top.add(tenant.id);
    if (!this.#top.has(tenant.id)) return OTHER;
    return this.#byId.get(tenant.id) ?? this.#give(tenant.id, tenant.slug);
  }

  /**
   * Notes how much tenants used the pool, and assigns labels to the top ones. A tenant that cannot be looked up gets
   * its id as the label.
   */
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

  /** Ranks the tenants again, and returns the labels that are no longer used. */
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

  /** A tenant keeps its label while it has one, even if its slug changes. Two tenants never share a label. */
  #give(tenantId: string, slug: string): string {
    const isFree = ![OTHER, NOBODY, ...this.#byId.values()].includes(slug);
    const label = isFree && slug.length <= MAX_LABEL_LENGTH ? slug : tenantId;
    this.#byId.set(tenantId, label);
    return label;
  }
}
