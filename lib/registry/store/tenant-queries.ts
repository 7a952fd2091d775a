import { type EntityManager, In, type SelectQueryBuilder } from 'typeorm';
import { freezeDeeply } from '../../common/freeze-deeply';
import { TenantDomainEntity } from './tenant-domain.entity';
import { PURGED, TenantEntity } from './tenant.entity';
import type { TenantQuery } from './tenant.store';
import { pickTenant, type Tenant, type TenantClaim, type TenantStatus } from '../tenant';

/** What `withDomains` selects. */
export type TenantRow = TenantEntity & { readonly domains: readonly TenantDomainEntity[] };

export async function findTenant(
  manager: EntityManager,
  { by, value }: TenantClaim,
): Promise<Tenant | undefined> {
  const query = withDomains(manager);
  if (by === 'domain')
    query.innerJoin(TenantDomainEntity, 'named', 'named.tenantId = tenant.id AND named.domain = :value');
  else query.andWhere(`tenant.${by} = :value`);
  const row = (await query.setParameters({ value }).getOne()) as TenantRow | null;
  return row ? toTenant(row, row.domains) : undefined;
}

/** In two statements: the limit counts tenants, so their domains cannot be joined to it. */
export async function findTenants(manager: EntityManager, query: TenantQuery): Promise<Tenant[]> {
  const page = await pageOf(manager, query).getMany();
  const domains = await domainsOf(manager, page);
  return page.map((row) => toTenant(row, domains.get(row.id) ?? []));
}

/**
 * Everything but the tombstones. Listeners are never called: on a transaction of the application's DataSource they
 * would be the application's.
 */
export function selectTenants(manager: EntityManager): SelectQueryBuilder<TenantEntity> {
  return manager
    .createQueryBuilder(TenantEntity, 'tenant')
    .where('tenant.status <> :purged', { purged: PURGED })
    .callListeners(false);
}

export function withDomains(manager: EntityManager): SelectQueryBuilder<TenantEntity> {
  return selectTenants(manager).leftJoinAndMapMany(
    'tenant.domains',
    TenantDomainEntity,
    'domain',
    'domain.tenantId = tenant.id',
  );
}

function pageOf(manager: EntityManager, { limit, afterId, status, server, search }: TenantQuery) {
  const query = selectTenants(manager).orderBy('tenant.id').limit(limit);
  if (afterId !== undefined) query.andWhere('tenant.id > :afterId', { afterId });
  if (status !== undefined) query.andWhere('tenant.status = :status', { status });
  if (server !== undefined) query.andWhere('tenant.server = :server', { server });
  if (search)
    query.andWhere('(tenant.slug ILIKE :part OR tenant.name ILIKE :part)', { part: likePart(search) });
  return query;
}

/** The LIKE pattern of the texts that contain `part` just as it is written. */
function likePart(part: string): string {
  return `%${part.replaceAll(/[\\%_]/g, '\\$&')}%`;
}

async function domainsOf(manager: EntityManager, page: readonly TenantEntity[]) {
  const domains = new Map<string, TenantDomainEntity[]>(page.map(({ id }) => [id, []]));
  if (domains.size === 0) return domains;
  for (const row of await manager.findBy(TenantDomainEntity, { tenantId: In([...domains.keys()]) })) {
    domains.get(row.tenantId)?.push(row);
  }
  return domains;
}

export function toTenant(row: TenantEntity, domains: readonly Pick<TenantDomainEntity, 'domain'>[]): Tenant {
  return freezeDeeply(
    pickTenant({
      ...row,
      place: { server: row.server, isolation: row.isolation },
      // Tombstones are never selected.
      status: row.status as TenantStatus,
      domains: domains.map(({ domain }) => domain).sort(),
    }),
  );
}
