import type { TenantContext } from '../context/tenant-context';

/** What a line of the log says of the tenant. */
export interface TenantLogFields {
  readonly tenantId?: string;
  readonly tenantSlug?: string;
}

/**
 * A `mixin` for `pino`: each line says for which tenant its code ran, `{ tenantId, tenantSlug }`. Lines of nobody say
 * nothing of it.
 */
export function tenantLogMixin(context: Pick<TenantContext, 'find'>): () => TenantLogFields {
  return () => {
    const tenant = context.find();
    // A new object each time: pino adds the line's own fields to it.
    return tenant ? { tenantId: tenant.id, tenantSlug: tenant.slug } : {};
  };
}
