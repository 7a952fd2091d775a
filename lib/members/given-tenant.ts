import { isUuid } from '../registry/claim';
import type { TenantLookup } from '../registry/cache/tenant-lookup';
import type { Tenant } from '../registry/tenant';
import { TenantNotFoundError } from '../registry/tenant.errors';

/** The id of a tenant that is given by it, or as it is. @throws TenantNotFoundError for what is no id */
export function idOf(tenant: Tenant | string): string {
  const id = typeof tenant === 'string' ? tenant : tenant.id;
  if (!isUuid(id)) throw new TenantNotFoundError();
  return id;
}

/**
 * The tenant, as the cache has it. One that is given as it is may be so new that only its own transaction sees it.
 *
 * @throws TenantNotFoundError
 */
export async function tenantOf(tenant: Tenant | string, tenants: TenantLookup): Promise<Tenant> {
  if (typeof tenant !== 'string') return tenant;
  const known = await tenants.find({ by: 'id', value: tenant });
  if (!known) throw new TenantNotFoundError();
  return known;
}
