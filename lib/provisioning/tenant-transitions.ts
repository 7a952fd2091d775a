import type { Tenant, TenantStatus } from '../registry/tenant';
import { InvalidTransitionError } from '../registry/tenant.errors';
import type { TenantUpdate } from '../registry/store/tenant.store';
import type { TenantStep } from './provisioning.options';
import type { TenantChangeEvent } from './hooks/tenant-events';

/** A step in a tenant's life. */
export interface Transition {
  readonly action: TenantStep;
  readonly event: TenantChangeEvent;
  readonly from: readonly TenantStatus[];
  /** Where it leads; a tenant that is there already is left alone. */
  readonly to: (tenant: Tenant) => TenantStatus;
}

export const SUSPEND: Transition = {
  action: 'suspend',
  event: 'suspended',
  from: ['active'],
  to: () => 'suspended',
};
export const ACTIVATE: Transition = {
  action: 'activate',
  event: 'activated',
  from: ['suspended'],
  to: () => 'active',
};
export const DELETE: Transition = {
  action: 'delete',
  event: 'deleted',
  from: ['active', 'suspended'],
  to: () => 'deleted',
};
export const RESTORE: Transition = { action: 'restore', event: 'restored', from: ['deleted'], to: restored };

/** What a deleted tenant was before; a tenant that is not deleted stays what it is. */
function restored({ status, deletedFrom }: Tenant): TenantStatus {
  return status === 'deleted' ? (deletedFrom ?? 'active') : status;
}

/** What a step changes in a tenant; `undefined` when it is there already. Throws `InvalidTransitionError`. */
export function changesOfTransition(
  tenant: Tenant,
  { action, from, to }: Transition,
  reason?: string,
): TenantUpdate | undefined {
  const status = to(tenant);
  if (tenant.status === status && status !== 'provisioning') return undefined;
  if (!from.includes(tenant.status)) throw new InvalidTransitionError(tenant.slug, tenant.status, action);
  return {
    status,
    deletedFrom: status === 'deleted' ? tenant.status : null,
    statusReason: reason ?? null,
  };
}
