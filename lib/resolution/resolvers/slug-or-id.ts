import type { TenantClaim } from '../../registry/tenant';
import { isUuid } from '../../registry/uuid';

/** The claim of a text that people or programs write: an id if it is shaped like a uuid, else a slug. */
export function slugOrId(value: string): TenantClaim {
  return { by: isUuid(value) ? 'id' : 'slug', value };
}
