import { HttpStatus } from '@nestjs/common';
import { TenancyError } from '../common/tenancy.errors';
import type { TenantStatus } from './tenant';

/**
 * No tenant has that name. A malformed name gets the same answer as an unknown one, so nothing can be learned by
 * trying.
 */
export class TenantNotFoundError extends TenancyError {
  readonly code = 'TENANT_NOT_FOUND';
  override readonly statusCode = HttpStatus.NOT_FOUND;

  constructor() {
    super('No such tenant.');
  }
}

export class TenantNotActiveError extends TenancyError {
  readonly code = 'TENANT_NOT_ACTIVE';
  override readonly statusCode = HttpStatus.FORBIDDEN;

  constructor(
    readonly slug: string,
    readonly tenantStatus: TenantStatus,
  ) {
    super(`Tenant "${slug}" is not active (status: ${tenantStatus}).`);
  }
}

export class TenantSlugTakenError extends TenancyError {
  readonly code = 'TENANT_SLUG_TAKEN';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor(readonly slug: string) {
    super(`The slug "${slug}" is taken.`);
  }
}

export class TenantSlugReservedError extends TenancyError {
  readonly code = 'TENANT_SLUG_RESERVED';
  override readonly statusCode = HttpStatus.BAD_REQUEST;

  constructor(readonly slug: string) {
    super(`The slug "${slug}" is reserved.`);
  }
}

export class DomainTakenError extends TenancyError {
  readonly code = 'DOMAIN_TAKEN';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor(readonly domain: string) {
    super(`The domain "${domain}" is taken.`);
  }
}

/** Steps that are allowed only in some states, as the error names them. */
const DONE = {
  suspend: 'suspended',
  activate: 'activated',
  delete: 'deleted',
  restore: 'restored',
  purge: 'purged',
  clone: 'cloned',
  export: 'exported',
  move: 'moved',
};

/** The step is not allowed in the tenant's state. Nothing was done. */
export class InvalidTransitionError extends TenancyError {
  readonly code = 'INVALID_TRANSITION';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor(
    readonly slug: string,
    readonly from: TenantStatus,
    readonly action: keyof typeof DONE,
  ) {
    super(`Tenant "${slug}" is ${from}, and cannot be ${DONE[action]}. ${remedy(from, action)}`);
  }
}

function remedy(from: TenantStatus, action: keyof typeof DONE): string {
  if (from === 'provisioning') return 'Wait until it is made.';
  return action === 'purge' ? 'Delete it first.' : 'Restore it first.';
}

/** The tenant was changed since the caller looked at it. Nothing was done. */
export class TenantVersionError extends TenancyError {
  readonly code = 'PRECONDITION_FAILED';
  override readonly statusCode = HttpStatus.PRECONDITION_FAILED;

  constructor(readonly slug: string) {
    super(`Tenant "${slug}" is not what you expected it to be: it was changed. Read it again, then decide.`);
  }
}

/** Each attempt failed because others changed the tenant at the same time. Nothing was done. */
export class TenantContendedError extends TenancyError {
  readonly code = 'TENANT_CONTENDED';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor(readonly slug: string) {
    super(`Tenant "${slug}" is being changed by too many others at once. Try again shortly.`);
  }
}

/** The schema belongs to another tenant, or did before that one was purged. Two tenants must not share rows. */
export class SchemaNameTakenError extends TenancyError {
  readonly code = 'SCHEMA_NAME_TAKEN';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor(readonly schemaName: string) {
    super(`The schema "${schemaName}" belongs to another tenant.`);
  }
}
