import { HttpStatus } from '@nestjs/common';
import { TenancyError } from '../common/tenancy.errors';

/** Another run is working on the fleet. */
export class MigrationRunActiveError extends TenancyError {
  readonly code = 'MIGRATION_RUN_ACTIVE';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor(
    readonly runId: string,
    holder: string,
    startedAt: Date,
  ) {
    super(
      `A migration run is working: ${runId}, by ${holder}, since ${startedAt.toISOString()}. Wait for its end, or give ` +
        'wait: true. A run whose process died is noticed within half a minute.',
    );
  }
}

/** Another run may have taken over, because this one could not renew its lock. */
export class MigrationRunLostError extends TenancyError {
  readonly code = 'MIGRATION_RUN_LOST';

  constructor(runId: string) {
    super(
      `The run ${runId} could not renew its lock in time, and counts as dead. What it has done is kept and recorded: run again.`,
    );
  }
}

/** There is no migration to revert. */
export class NothingToRevertError extends TenancyError {
  readonly code = 'NOTHING_TO_REVERT';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor(why: string) {
    super(`No migration can be reverted: ${why}`);
  }
}

/** No migration of the code has this name. */
export class UnknownMigrationError extends TenancyError {
  readonly code = 'UNKNOWN_MIGRATION';
  override readonly statusCode = HttpStatus.NOT_FOUND;

  constructor(name: string) {
    super(
      `The application has no migration ${JSON.stringify(String(name).slice(0, 80))}. A name ends with its timestamp of 13 digits.`,
    );
  }
}

/** TypeORM's command would skip the tenants, or the ledger. */
export class CommandNotForTemplateError extends TenancyError {
  readonly code = 'COMMAND_NOT_FOR_TEMPLATE';

  constructor(command: string, remedy: string) {
    super(
      `TypeORM's command line cannot ${command} here, because it would skip the tenants. Instead, ${remedy}.`,
    );
  }
}

/** The template was migrated while tenants were compared with it. */
export class TemplateMovedError extends TenancyError {
  readonly code = 'TEMPLATE_MOVED';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor() {
    super(
      'The template was changed while tenants were compared with it, so the result would be wrong. Run it again.',
    );
  }
}

/** `tenantDataSource({ shared })` named a schema that is not one of the shared ones. */
export class NotSharedError extends TenancyError {
  readonly code = 'SCHEMA_NOT_SHARED';

  constructor(schemaName: string, sharedSchemas: readonly string[]) {
    super(
      `shared: "${schemaName}" is not one of the sharedSchemas (${sharedSchemas.join(', ') || 'there are none'}).`,
    );
  }
}
