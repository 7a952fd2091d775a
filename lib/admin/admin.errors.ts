import { HttpStatus } from '@nestjs/common';
import { InvalidOptionsError } from '../common/options/invalid-options.errors';
import { type FieldError, TenancyError } from '../common/tenancy.errors';
import { StartError } from '../common/start.errors';
import { MIN_MASTER_KEY_LENGTH } from './admin.options';

/** The request carries no master key, or a wrong one. */
export class MasterKeyInvalidError extends TenancyError {
  readonly code = 'MASTER_KEY_INVALID';
  override readonly statusCode = HttpStatus.UNAUTHORIZED;

  constructor() {
    super('The X-Master-Key header is missing or wrong.');
  }
}

/** The module was configured without a usable key. Thrown at the start. */
export class MasterKeyMissingError extends StartError {
  readonly code = 'MASTER_KEY_MISSING';

  constructor(given: string) {
    super(
      `TenancyAdminModule needs a masterKey of at least ${MIN_MASTER_KEY_LENGTH} printable ASCII characters, or masterKeys: ` +
        `[{ name, key }] of such, and got ${given}. Make a key with: openssl rand -hex 32`,
    );
  }
}

/** The module was given options that it does not know. Thrown at the start, and names each of them. */
export class InvalidAdminOptionsError extends InvalidOptionsError {
  readonly code = 'ADMIN_OPTIONS_INVALID';

  constructor(problems: readonly FieldError[]) {
    super('TenancyAdminModule', problems);
  }
}

/** No migration run has this id. */
export class RunNotFoundError extends TenancyError {
  readonly code = 'MIGRATION_RUN_NOT_FOUND';
  override readonly statusCode = HttpStatus.NOT_FOUND;

  constructor() {
    super('There is no migration run with this id.');
  }
}

/** The application's own store keeps no audit. */
export class AuditNotKeptError extends TenancyError {
  readonly code = 'AUDIT_NOT_KEPT';
  override readonly statusCode = HttpStatus.NOT_IMPLEMENTED;

  constructor() {
    super('The TenantStore of this application keeps no audit: it has no listAudit().');
  }
}
