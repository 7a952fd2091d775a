import type { EntityManager, QueryDeepPartialEntity } from 'typeorm';
import { placeOf } from '../../placement/place';
import { TenantDomainEntity } from './tenant-domain.entity';
import { pick, type Tenant, tenantFields } from '../tenant';
import { selectTenants, toTenant } from './tenant-queries';
import { PURGED, TenantEntity } from './tenant.entity';
import { DomainTakenError, SchemaNameTakenError, TenantSlugTakenError } from '../tenant.errors';
import { givenChanges, type NewTenant, type TenantUpdate, type TenantExpectation } from './tenant.store';

/** SQLSTATE unique_violation. */
const UNIQUE_VIOLATION = '23505';

/** Column values of one UPDATE; an undefined one is left out by TypeORM. */
type Values = Partial<Pick<TenantEntity, keyof TenantUpdate>>;

/** Inserts the tenant and returns it as the registry keeps it. */
export async function insertTenant(manager: EntityManager, tenant: NewTenant): Promise<Tenant> {
  const { domains: names, ...columns } = pick(tenant, tenantFields('given'));
  const { id, slug, schemaName, metadata } = columns;
  const { server, isolation } = placeOf(tenant);
  const row = { ...columns, server, isolation, metadata: { ...metadata } };
  const kept = await taken({ slug, schemaName }, () => insertRow(manager, TenantEntity, row));
  // One at a time, so that the one that is taken can be named; sorted, so that two inserts never wait crosswise.
  const domains = [...new Set(names)].sort().map((domain) => ({ domain, tenantId: id }));
  for (const each of domains) await taken(each, () => insertRow(manager, TenantDomainEntity, each));
  return toTenant(kept, domains);
}

/** Whether the tenant existed and matched `expected`. */
export async function updateTenant(
  manager: EntityManager,
  id: string,
  changes: TenantUpdate,
  expected?: TenantExpectation,
): Promise<boolean> {
  if (expected?.status?.length === 0) return false;
  const { metadata, ...others } = givenChanges(changes);
  const values: Values = { ...others, ...(metadata && { metadata: { ...metadata } }) };
  return taken({ slug: changes.slug }, () => updateRow(manager, id, values, expected));
}

/** Whether there was one. */
export async function deleteTenant(manager: EntityManager, id: string): Promise<boolean> {
  const { affected } = await manager
    .createQueryBuilder()
    .delete()
    .from(TenantEntity)
    .where('id = :id AND status <> :purged', { id, purged: PURGED })
    .callListeners(false)
    .execute();
  return affected === 1;
}

/** Whether the tenant exists and matches `expected`. It stays locked, with its domains, until the transaction ends. */
export async function lockTenant(
  manager: EntityManager,
  id: string,
  { status, version }: TenantExpectation = {},
): Promise<boolean> {
  const query = selectTenants(manager).andWhere('tenant.id = :id', { id });
  const row = await query.setLock('for_no_key_update').getOne();
  if (row === null || (version !== undefined && row.version !== version)) return false;
  return status === undefined || (status as readonly string[]).includes(row.status);
}

/** Whether the domain is new for the tenant. */
export async function addDomain(manager: EntityManager, id: string, domain: string): Promise<boolean> {
  if (await manager.existsBy(TenantDomainEntity, { domain, tenantId: id })) return false;
  await taken({ domain }, () => insertRow(manager, TenantDomainEntity, { domain, tenantId: id }));
  return updateRow(manager, id, {});
}

/** Whether the tenant had the domain. */
export async function removeDomain(manager: EntityManager, id: string, domain: string): Promise<boolean> {
  const { affected } = await manager
    .createQueryBuilder()
    .delete()
    .from(TenantDomainEntity)
    .where('domain = :domain AND tenant_id = :id', { domain, id })
    .callListeners(false)
    .execute();
  return affected ? updateRow(manager, id, {}) : false;
}

/** The row as it is in the table, with defaults, and JSON as PostgreSQL reads it. */
async function insertRow<Row extends object>(
  manager: EntityManager,
  table: new () => Row,
  row: object,
): Promise<Row> {
  const inserted = await manager
    .createQueryBuilder()
    .insert()
    .into(table)
    .values(row)
    .returning('*')
    .updateEntity(false)
    .callListeners(false)
    .execute();
  const [kept] = inserted.raw as Record<string, unknown>[];
  const { driver } = manager.connection;
  const { columns } = manager.connection.getMetadata(table);
  return Object.fromEntries(
    columns.map((column) => [
      column.propertyName,
      driver.prepareHydratedValue(kept[column.databaseName], column) as unknown,
    ]),
  ) as Row;
}

async function updateRow(
  manager: EntityManager,
  id: string,
  values: Values,
  expected: TenantExpectation = {},
): Promise<boolean> {
  const query = manager
    .createQueryBuilder()
    .update(TenantEntity)
    // Not now(), the time the transaction began: after a wait for the row that would set the time back.
    .set({
      ...(values as QueryDeepPartialEntity<TenantEntity>),
      updatedAt: () => 'pg_catalog.clock_timestamp()',
      version: () => 'version + 1',
    })
    .where('id = :id AND status <> :purged', { id, purged: PURGED })
    .callListeners(false);
  const { status, version } = expected;
  if (status) query.andWhere('status IN (:...status)', { status });
  if (version !== undefined) query.andWhere('version = :version', { version });
  return (await query.execute()).affected === 1;
}

interface Names {
  readonly slug?: string;
  readonly schemaName?: string;
  readonly domain?: string;
}

/** Runs `work`. When a unique name is taken, throws the error that names it. */
async function taken<T>(names: Names, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw takenError(error as UniqueViolation, names) ?? error;
  }
}

interface UniqueViolation {
  readonly code?: unknown;
  readonly constraint?: unknown;
}

function takenError(
  { code, constraint }: UniqueViolation,
  { slug, schemaName, domain }: Names,
): Error | undefined {
  if (code !== UNIQUE_VIOLATION) return undefined;
  if (constraint === 'tenants_slug_key' && slug !== undefined) return new TenantSlugTakenError(slug);
  if (constraint === 'tenants_schema_name_key' && schemaName !== undefined)
    return new SchemaNameTakenError(schemaName);
  if (constraint === 'tenant_domains_pkey' && domain !== undefined) return new DomainTakenError(domain);
  return undefined;
}
