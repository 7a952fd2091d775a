import type { Tenant } from '../../registry/tenant';
import { list } from '../table';
import type { Answer } from '../tenancy-command';

export function tenantAnswer(tenant: Tenant): Answer {
  return {
    value: tenant,
    text: list({
      id: tenant.id,
      slug: tenant.slug,
      name: tenant.name,
      schema: tenant.schemaName,
      status: tenant.statusReason === null ? tenant.status : `${tenant.status} (${tenant.statusReason})`,
      domains: tenant.domains.join(', ') || '–',
      metadata: JSON.stringify(tenant.metadata),
      created: tenant.createdAt.toISOString(),
      updated: tenant.updatedAt.toISOString(),
    }),
  };
}
