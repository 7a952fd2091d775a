import type { Tenant } from '../../registry/tenant';
import type { Draft } from './tenant-home';

/** A stand-in for `TenantContext.run()` before the tenant exists. */
export function unborn(draft: Draft): Tenant {
  const now = new Date();
  return {
    ...draft,
    status: 'provisioning',
    statusReason: null,
    deletedFrom: null,
    templateVersion: null,
    schemaVersion: null,
    version: 1,
    createdAt: now,
    updatedAt: now,
  };
}
