import { HasFieldsOf, IfGiven, IsArray, IsBoolean, IsIn, IsObject, IsString } from '../http/validation';
import { type ApiKeyView, withoutText } from '../access/api-key.dto';
import { PageQuery } from '../http/page-query';
import { type Isolation, ISOLATIONS, placeOf } from '../placement/place';
import {
  pick,
  type Tenant,
  TENANT_STATUSES,
  type TenantField,
  tenantFields,
  type TenantStatus,
} from '../registry/tenant';
import type { AuditRecord } from '../registry/events/tenant-audit';

/** What is left out is as the option `placement` says. */
export class PlaceBody {
  @IfGiven()
  @IsString()
  server?: string;

  @IfGiven()
  @IsIn(ISOLATIONS)
  isolation?: Isolation;
}

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

  @IfGiven()
  @IsObject()
  @HasFieldsOf(PlaceBody)
  place?: PlaceBody;

  /** Whether the answer contains the tenant's first key, `apiKey`, shown only this once. */
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

/** The body of suspend, activate and restore. */
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
  server?: string;

  @IfGiven()
  @IsIn(ISOLATIONS)
  isolation?: Isolation;

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
export type TenantView = Pick<Tenant, TenantField<'shown'>> & {
  /** Only when the request that made the tenant asked for it. */
  readonly apiKey?: ApiKeyView;
};

/** The answer without the text of its key, in which form it may be stored. */
export function withoutKeyText(body: unknown): unknown {
  const { apiKey, ...tenant } = body as TenantView;
  return apiKey ? { ...tenant, apiKey: withoutText(apiKey) } : tenant;
}

export function toTenantView(tenant: Tenant & Pick<TenantView, 'apiKey'>): TenantView {
  const { apiKey } = tenant;
  const shown = pick({ ...tenant, place: placeOf(tenant) }, tenantFields('shown'));
  return { ...shown, ...(apiKey && { apiKey }) };
}

/** An entry of a tenant's audit, as the API shows it. */
export type AuditView = AuditRecord;
