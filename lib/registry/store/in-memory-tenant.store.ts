/* eslint-disable @typescript-eslint/require-await -- async, so that what is thrown arrives as a rejection */
import { freezeDeeply } from '../../common/freeze-deeply';
import { normalizeClaim } from '../claim';
import { InMemoryAudit } from '../events/in-memory-audit';
import type { AuditQuery, AuditRecord } from '../events/tenant-audit';
import { placeOf } from '../../placement/place';
import { DomainTakenError, SchemaNameTakenError, TenantSlugTakenError } from '../tenant.errors';
import {
  givenChanges,
  matches,
  type NewTenant,
  type TenantExpectation,
  type TenantQuery,
  TenantStore,
  type TenantUpdate,
  type TenantWriteOptions,
} from './tenant.store';
import { pickTenant, type Tenant, type TenantClaim } from '../tenant';

/**
 * Keeps tenants in this process, for tests and demonstrations: nothing survives it and no other instance sees it.
 * What goes in is copied, and what comes out is a frozen copy.
 */
export class InMemoryTenantStore extends TenantStore {
  /** By id, in lower case. */
  private readonly tenants = new Map<string, Tenant>();
  private readonly audit: InMemoryAudit;

  constructor(private readonly now: () => Date = () => new Date()) {
    super();
    this.audit = new InMemoryAudit(now);
  }

  async find(claim: TenantClaim): Promise<Tenant | undefined> {
    const normalized = normalizeClaim(claim);
    const found = normalized && this.first((tenant) => isNamed(tenant, normalized));
    return found && copy(found);
  }

  async list({ limit, afterId = '', ...filter }: TenantQuery): Promise<Tenant[]> {
    return [...this.tenants.values()]
      .filter((tenant) => tenant.id > afterId.toLowerCase() && matches(tenant, filter))
      .sort((one, other) => (one.id < other.id ? -1 : 1))
      .slice(0, limit)
      .map(copy);
  }

  async insert(
    tenant: NewTenant,
    _transaction?: unknown,
    { audit }: Pick<TenantWriteOptions, 'audit'> = {},
  ): Promise<Tenant> {
    const { schemaName } = tenant;
    const id = tenant.id.toLowerCase();
    if (this.tenants.has(id)) throw new Error(`There is a tenant with the id ${id} already.`);
    this.assertSlugIsFree(tenant.slug, id);
    if (this.first((other) => other.schemaName === schemaName)) throw new SchemaNameTakenError(schemaName);
    const domains = [...new Set(tenant.domains)].sort();
    for (const domain of domains) this.assertDomainIsFree(domain, id);
    const createdAt = this.now();
    this.audit.add(id, audit);
    return this.keep({
      ...tenant,
      id,
      place: placeOf(tenant),
      domains,
      statusReason: null,
      deletedFrom: null,
      version: 1,
      createdAt,
      updatedAt: createdAt,
    });
  }

  async update(
    id: string,
    changes: TenantUpdate,
    { expected, audit }: TenantWriteOptions = {},
  ): Promise<Tenant | undefined> {
    const tenant = this.expected(id, expected);
    if (!tenant) return undefined;
    if (changes.slug !== undefined) this.assertSlugIsFree(changes.slug, tenant.id);
    this.audit.add(tenant.id, audit);
    return this.change(tenant, givenChanges(changes));
  }

  async remove(id: string): Promise<void> {
    this.tenants.delete(id.toLowerCase());
    this.audit.forget(id.toLowerCase());
  }

  async addDomain(
    id: string,
    domain: string,
    { expected, audit }: TenantWriteOptions = {},
  ): Promise<Tenant | undefined> {
    const tenant = this.expected(id, expected);
    if (!tenant) return undefined;
    if (tenant.domains.includes(domain)) return copy(tenant);
    this.assertDomainIsFree(domain, tenant.id);
    this.audit.add(tenant.id, audit);
    return this.change(tenant, { domains: [...tenant.domains, domain].sort() });
  }

  async removeDomain(
    id: string,
    domain: string,
    { expected, audit }: TenantWriteOptions = {},
  ): Promise<Tenant | undefined> {
    const tenant = this.expected(id, expected);
    if (!tenant) return undefined;
    if (!tenant.domains.includes(domain)) return copy(tenant);
    this.audit.add(tenant.id, audit);
    return this.change(tenant, { domains: tenant.domains.filter((other) => other !== domain) });
  }

  override async listAudit(query: AuditQuery): Promise<AuditRecord[]> {
    return this.audit.list(query);
  }

  /** The tenant, if it is what is expected. */
  private expected(id: string, { status, version }: TenantExpectation = {}): Tenant | undefined {
    const tenant = this.tenants.get(id.toLowerCase());
    if (!tenant || status?.includes(tenant.status) === false) return undefined;
    return version === undefined || version === tenant.version ? tenant : undefined;
  }

  private first(matches: (tenant: Tenant) => boolean): Tenant | undefined {
    return [...this.tenants.values()].find(matches);
  }

  private assertSlugIsFree(slug: string, id: string): void {
    if (this.first((other) => other.slug === slug && other.id !== id)) throw new TenantSlugTakenError(slug);
  }

  private assertDomainIsFree(domain: string, id: string): void {
    if (this.first((other) => other.domains.includes(domain) && other.id !== id))
      throw new DomainTakenError(domain);
  }

  private change(tenant: Tenant, changes: Partial<Tenant>): Tenant {
    return this.keep({ ...tenant, ...changes, version: tenant.version + 1, updatedAt: this.now() });
  }

  private keep(tenant: Tenant): Tenant {
    const kept = copy(tenant);
    this.tenants.set(kept.id, kept);
    return copy(kept);
  }
}

function isNamed(tenant: Tenant, { by, value }: TenantClaim): boolean {
  return by === 'domain' ? tenant.domains.includes(value) : tenant[by] === value;
}

/** A copy like one read from a row: metadata goes through JSON, and only the fields of a tenant are kept. */
function copy(tenant: Tenant): Tenant {
  return freezeDeeply(
    pickTenant({
      ...tenant,
      place: { ...tenant.place },
      domains: [...tenant.domains],
      metadata: JSON.parse(JSON.stringify(tenant.metadata)) as Tenant['metadata'],
      createdAt: new Date(tenant.createdAt),
      updatedAt: new Date(tenant.updatedAt),
    }),
  );
}
