import type { PlacesOfTenants } from '../../lib/connection/pool/tenant-pool.options';
import type { Place } from '../../lib/placement/place';
import type { Tenant } from '../../lib/registry/tenant';

/** Tenants that never move. */
export function placesOf(placeOf: (tenant: Tenant) => Place): PlacesOfTenants {
  return {
    current: placeOf,
    settle: (tenant) => Promise.resolve(placeOf(tenant)),
    hasLeft: () => Promise.resolve(false),
  };
}
