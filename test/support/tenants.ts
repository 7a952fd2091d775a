import { randomUUID } from 'node:crypto';
import { DEFAULT_PLACE } from '../../lib/placement/place';
import type { Tenant } from '../../lib/registry/tenant';

/** A tenant that is in no registry: for tests of what does not look there. */
export function makeTenant(slug: string, changes: Partial<Tenant> = {}): Tenant {
  return {
    id: randomUUID(),
    slug,
    name: slug,
    schemaName: `t_${slug}`,
    place: DEFAULT_PLACE,
    status: 'active',
    statusReason: null,
    deletedFrom: null,
    domains: [],
    metadata: {},
    templateVersion: null,
    schemaVersion: null,
    version: 1,
    createdAt: new Date(),
    updatedAt: new Date(),
    ...changes,
  };
}
