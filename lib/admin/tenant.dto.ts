import { IsArray, IsIn, IsObject, IsString } from 'class-validator';
import { IfGiven } from '../http/if-given.decorator';
import { PageQuery } from '../http/page-query';
import { type Tenant, TENANT_STATUSES, type TenantStatus } from '../tenant/tenant';
import type { AuditRecord } from '../tenant/tenant-audit';

export class CreateTenantBody {
  @IsString()
  slug!: string;

  @IfGiven()
  @IsString()
  name?: string;

  @IfGiven()
  @IsObject()
  metadata?: Record<string, unknown>;

  @IfGiven()
  @IsArray()
  @IsString({ each: true })
  domains?: string[];
}

export class UpdateTenantBody {
  @IfGiven()
  @IsString()
  slug?: string;

  @IfGiven()
  @IsString()
  name?: string;

  /** RFC 7386: `null` removes a key. */
  @IfGiven()
  @IsObject()
  metadata?: Record<string, unknown>;
}

/** Of suspend, activate and restore. */
export class TransitionBody {
  @IfGiven()
  @IsString()
  reason?: string;
}

export class ListTenantsQuery extends PageQuery {
  @IfGiven()
  @IsIn(TENANT_STATUSES)
  status?: TenantStatus;

  @IfGiven()
  @IsString()
  search?: string;
}

export class DeleteTenantQuery {
  @IsIn(['true', 'false'])
  purge = 'false';

  @IfGiven()
  @IsString()
  reason?: string;
}

/** A tenant as the API shows it. Dates become ISO 8601 in UTC. */
export type TenantView = Omit<Tenant, 'templateVersion' | 'statusReason' | 'deletedFrom' | 'version'>;

export function toTenantView(tenant: Tenant): TenantView {
  const { id, slug, name, schemaName, schemaVersion, status, domains, metadata, createdAt, updatedAt } =
    tenant;
  return { id, slug, name, schemaName, schemaVersion, status, domains, metadata, createdAt, updatedAt };
}

/** What was done to a tenant, as the API shows it. */
export type AuditView = AuditRecord;
