import { HttpStatus } from '@nestjs/common';
import { TenancyError } from '../../common/tenancy.errors';

/** There is no recovery key with that text or that id that still counts. */
export class RecoveryKeyInvalidError extends TenancyError {
  readonly code = 'RECOVERY_KEY_INVALID';
  override readonly statusCode = HttpStatus.NOT_FOUND;

  constructor() {
    super('No such recovery key: it was mistyped, used, revoked, or its time is over.');
  }
}

/** A tenant has one recovery key at a time. */
export class RecoveryKeyExistsError extends TenancyError {
  readonly code = 'RECOVERY_KEY_EXISTS';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor(readonly id: string) {
    super(`The tenant has the recovery key ${id}. Have it used, or revoke it, then make another.`);
  }
}

/** The token names nobody who could be a member. */
export class SubjectMissingError extends TenancyError {
  readonly code = 'SUBJECT_MISSING';
  override readonly statusCode = HttpStatus.FORBIDDEN;

  constructor() {
    super('The token names no subject who could be a member of a tenant.');
  }
}
