import { IsArray, IsBoolean, IsIn, IsObject, IsString } from '../http/validation';
import { type ApiKeyView, withoutText } from '../access/api-key.dto';
import { IfGiven } from '../http/if-given.decorator';
import { PageQuery } from '../http/page-query';
import { type Tenant, TENANT_STATUSES, type TenantStatus } from '../registry/tenant';
import type { AuditRecord } from '../registry/audit/tenant-audit';

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

  /** The answer has the tenant's first key: `apiKey`, shown this once. */
  @IfGiven()
  @IsBoolean()
  apiKey?: boolean;
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
export type TenantView = Omit<Tenant, 'templateVersion' | 'statusReason' | 'deletedFrom' | 'version'> & {
  /** Of an answer to who asked for it along with the tenant. */
  readonly apiKey?: ApiKeyView;
};

/** The same without the text of its key, for keeping. */
export function withoutKeyText(body: unknown): unknown {
  const { apiKey, ...tenant } = body as TenantView;
  return apiKey ? { ...tenant, apiKey: withoutText(apiKey) } : tenant;
}

export function toTenantView(tenant: Tenant & Pick<TenantView, 'apiKey'>): TenantView {
  const {
    id,
    slug,
    name,
    schemaName,
    schemaVersion,
    status,
    domains,
    metadata,
    createdAt,
    updatedAt,
    apiKey,
  } = tenant;
  return {
    id,
    slug,
    name,
    schemaName,
    schemaVersion,
    status,
    domains,
    metadata,
    createdAt,
    updatedAt,
    ...(apiKey && { apiKey }),
  };
}

/** What was done to a tenant, as the API shows it. */
export type AuditView = AuditRecord;
