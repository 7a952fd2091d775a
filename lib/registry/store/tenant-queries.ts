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

/** The tenants of `withDomains`. To make entities of hundreds of rows takes TypeORM longer than PostgreSQL to find them. */
export async function readTenants(query: SelectQueryBuilder<TenantEntity>): Promise<Tenant[]> {
  const rows = await query.getRawMany<Readonly<Record<string, unknown>>>();
  const read = rowReader(query);
  const found = new Map<unknown, { row: TenantEntity; domains: { domain: string }[] }>();
  for (const raw of rows) {
    let tenant = found.get(raw.tenant_id);
    if (!tenant) found.set(raw.tenant_id, (tenant = { row: read(raw), domains: [] }));
    if (raw.domain_domain !== null) tenant.domains.push({ domain: raw.domain_domain as string });
  }
  return Array.from(found.values(), ({ row, domains }) => toTenant(row, domains));
}

/** Reads the columns of an entity as TypeORM does. */
function rowReader({ dataSource, expressionMap }: SelectQueryBuilder<TenantEntity>) {
  const { name, metadata } = expressionMap.mainAlias!;
  return (raw: Readonly<Record<string, unknown>>): TenantEntity => {
    const row: Record<string, unknown> = {};
    for (const column of metadata.columns)
      row[column.propertyName] = dataSource.driver.prepareHydratedValue(
        raw[`${name}_${column.databaseName}`],
        column,
      );
    return row as unknown as TenantEntity;
  };
}

function pageOf(manager: EntityManager, { limit, afterId, status, server, isolation, search }: TenantQuery) {
  const query = selectTenants(manager).orderBy('tenant.id').limit(limit);
  if (afterId !== undefined) query.andWhere('tenant.id > :afterId', { afterId });
  if (status !== undefined) query.andWhere('tenant.status = :status', { status });
  if (server !== undefined) query.andWhere('tenant.server = :server', { server });
  if (isolation !== undefined) query.andWhere('tenant.isolation = :isolation', { isolation });
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
