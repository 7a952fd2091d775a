import { HttpStatus } from '@nestjs/common';
import { InvalidOptionsError } from '../common/options/invalid-options.errors';
import { type FieldError, TenancyError } from '../common/tenancy.errors';

/** The tenant has no member with that id. */
export class MemberNotFoundError extends TenancyError {
  readonly code = 'MEMBER_NOT_FOUND';
  override readonly statusCode = HttpStatus.NOT_FOUND;

  constructor() {
    super('No such member.');
  }
}

/** The subject is a member of the tenant already. */
export class MemberExistsError extends TenancyError {
  readonly code = 'MEMBER_EXISTS';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor() {
    super('This subject is a member of the tenant already. Change that member instead.');
  }
}

/** Without this owner nobody could manage the tenant. Nothing was done. */
export class LastOwnerError extends TenancyError {
  readonly code = 'LAST_OWNER';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor() {
    super('This is the last active owner of the tenant. Make another member an owner first.');
  }
}

/** The tenant has as many members as it may have. */
export class MemberLimitError extends TenancyError {
  readonly code = 'MEMBER_LIMIT';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor(limit: number) {
    super(`The tenant may have ${limit} members, and has them. Remove one, then add another.`);
  }
}

/** The caller is to give a role which they do not have themselves. */
export class RoleMissingError extends TenancyError {
  readonly code = 'ROLE_MISSING';
  override readonly statusCode = HttpStatus.FORBIDDEN;

  constructor(readonly role: string) {
    super(`The role "${role}" can be given only by those who have it, or all of its scopes.`);
  }
}

/** The role is declared, but not for tenants on this plan. */
export class RoleNotInPlanError extends TenancyError {
  readonly code = 'ROLE_NOT_IN_PLAN';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor(readonly role: string) {
    super(`The plan of the tenant does not include the role "${role}".`);
  }
}

/** The member was changed after the caller read it. Nothing was done. */
export class MemberVersionError extends TenancyError {
  readonly code = 'PRECONDITION_FAILED';
  override readonly statusCode = HttpStatus.PRECONDITION_FAILED;

  constructor() {
    super(
      'The member does not have the version that you expected: it was changed. Read it again, then decide.',
    );
  }
}

/** The module cannot work with these options. Thrown at the start. */
export class InvalidMembersOptionsError extends InvalidOptionsError {
  readonly code = 'MEMBERS_OPTIONS_INVALID';

  constructor(problems: readonly FieldError[]) {
    super('TenancyMembersModule', problems);
  }
}
