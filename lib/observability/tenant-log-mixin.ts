import type { TenantContext } from '../context/tenant-context';

/** The fields about the tenant in a log line. */
export interface TenantLogFields {
  readonly tenantId?: string;
  readonly tenantSlug?: string;
}

/**
 * A `mixin` for `pino` that adds the tenant for which the code runs to each line, `{ tenantId, tenantSlug }`. Without a
 * tenant it adds nothing.
 */
export function tenantLogMixin(context: Pick<TenantContext, 'find'>): () => TenantLogFields {
  return () => {
    const tenant = context.find();
    // A new object each time, because pino adds the line's own fields to it.
    return tenant ? { tenantId: tenant.id, tenantSlug: tenant.slug } : {};
  };
}
