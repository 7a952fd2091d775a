import { HttpStatus } from '@nestjs/common';
import { TenancyError } from './tenancy.errors';

/** The credential is good, but it may not do this. */
export class ScopeMissingError extends TenancyError {
  readonly code = 'SCOPE_MISSING';
  override readonly statusCode = HttpStatus.FORBIDDEN;

  constructor(readonly scope: string) {
    super(`The scope "${scope}" is needed for that, and the credential does not have it.`);
  }
}
