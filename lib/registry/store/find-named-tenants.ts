import type { EntityManager, SelectQueryBuilder } from 'typeorm';
import { TenantDomainEntity } from './tenant-domain.entity';
import { toTenant, withDomains, type TenantRow } from './tenant-queries';
import { TenantEntity } from './tenant.entity';
import type { Tenant, TenantClaim } from '../tenant';

/**
 * The tenants of normalised claims, each in the place of its claim, in one statement. A claim that is `undefined` names
 * nobody.
 */
export async function findNamedTenants(
  manager: EntityManager,
  claims: readonly (TenantClaim | undefined)[],
): Promise<(Tenant | undefined)[]> {
  const rows = (await namedBy(withDomains(manager), claims).getMany()) as TenantRow[];
  const byName = new Map<string, Tenant>();
  for (const row of rows) {
    const tenant = toTenant(row, row.domains);
    byName.set(`id ${tenant.id}`, tenant).set(`slug ${tenant.slug}`, tenant);
    for (const domain of tenant.domains) byName.set(`domain ${domain}`, tenant);
  }
  return claims.map((claim) => claim && byName.get(`${claim.by} ${claim.value}`));
}

/**
 * Neither by an OR over columns of two tables nor by an IN over the union: PostgreSQL answers the one always, the other
 * from some hundred names on, by reading every tenant, for it expects that each name is somebody's. An array is short to it.
 */
function namedBy(
  query: SelectQueryBuilder<TenantEntity>,
  claims: readonly (TenantClaim | undefined)[],
): SelectQueryBuilder<TenantEntity> {
  const named = (by: TenantClaim['by']) =>
    claims.filter((claim) => claim?.by === by).map((claim) => claim!.value);
  const names = { slug: named('slug'), id: named('id'), domain: named('domain') };
  const ids = [
    names.slug.length > 0 &&
      query
        .subQuery()
        .select('bySlug.id')
        .from(TenantEntity, 'bySlug')
        .where('bySlug.slug = ANY(:slugs) AND bySlug.status <> :purged')
        .getQuery(),
    names.id.length > 0 && 'SELECT pg_catalog.unnest(CAST(:ids AS uuid[]))',
    names.domain.length > 0 &&
      query
        .subQuery()
        .select('named.tenantId')
        .from(TenantDomainEntity, 'named')
        .where('named.domain = ANY(:domains)')
        .getQuery(),
  ].filter((part) => part !== false);
  return query.andWhere(`tenant.id = ANY(ARRAY(${ids.join(' UNION ALL ')}))`).setParameters({
    slugs: names.slug,
    ids: names.id,
    domains: names.domain,
  });
}
