import { IsArray, IsIn, IsObject, IsString, Matches, ValidateIf } from 'class-validator';
import { type Tenant, TENANT_STATUSES, type TenantStatus } from '../tenant/tenant';

/** Absent is fine; `null` is not, unlike with class-validator's `IsOptional`. */
const IfGiven = () => ValidateIf((_object, value) => value !== undefined);

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

export class ListTenantsQuery {
  @Matches(/^(?:[1-9]\d?|100)$/, { message: 'must be an integer from 1 to 100' })
  limit = '50';

  @IfGiven()
  @IsString()
  cursor?: string;

  @IfGiven()
  @IsIn(TENANT_STATUSES)
  status?: TenantStatus;

  @IfGiven()
  @IsString()
  search?: string;
}

/** A tenant as the API shows it. Dates become ISO 8601 in UTC. */
export type TenantView = Omit<Tenant, 'templateVersion' | 'statusReason' | 'deletedFrom'>;

export function toTenantView(tenant: Tenant): TenantView {
  const { id, slug, name, schemaName, status, domains, metadata, createdAt, updatedAt } = tenant;
  return { id, slug, name, schemaName, status, domains, metadata, createdAt, updatedAt };
}

export interface TenantPage {
  readonly data: TenantView[];
  /** Give it back as `cursor` for the next page; `null` on the last one. */
  readonly nextCursor: string | null;
}
