import { DEFAULT_PLACE, placeOf } from '../../placement/place';
import type { CheckedTenancyOptions } from '../../options/tenancy.options';
import type { Tenant } from '../../registry/tenant';
import type { Application } from '../application';
import { list } from '../table';
import type { Answer } from '../tenancy-command';

export function tenantAnswer({ configured }: Application, tenant: Tenant): Answer {
  const { server, isolation } = placeOf(tenant);
  return {
    value: tenant,
    text: list({
      id: tenant.id,
      slug: tenant.slug,
      name: tenant.name,
      ...(hasSeveralServers(configured) && { server }),
      ...(isolation !== DEFAULT_PLACE.isolation && { isolation }),
      schema: tenant.schemaName,
      status: tenant.statusReason === null ? tenant.status : `${tenant.status} (${tenant.statusReason})`,
      domains: tenant.domains.join(', ') || '–',
      metadata: JSON.stringify(tenant.metadata),
      created: tenant.createdAt.toISOString(),
      updated: tenant.updatedAt.toISOString(),
    }),
  };
}

/** Whether it is worth telling where a tenant lives. */
export function hasSeveralServers({ servers }: CheckedTenancyOptions): boolean {
  return Object.keys(servers).length > 0;
}
