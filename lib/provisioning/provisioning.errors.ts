import { TenancyError } from '../common/tenancy.errors';

/** A migration cannot be run on the template, or failed there. Nothing of this run was kept. */
export class TemplateMigrationError extends TenancyError {
  readonly code = 'TEMPLATE_MIGRATION_FAILED';

  constructor(migration: string, why: string, options?: { cause?: unknown }) {
    super(`The migration ${migration} cannot build the template: ${why}`, options);
  }
}

/** Migrations are waiting and the application was told not to run them. */
export class TemplateBehindError extends TenancyError {
  readonly code = 'TEMPLATE_BEHIND';

  constructor(pending: readonly string[]) {
    super(
      `The template has not seen ${pending.join(', ')}. Start one instance with migrateTemplate: true (or without ` +
        'TENANCY_MIGRATE_TEMPLATE=false) first: a tenant cloned now would lack them.',
    );
  }
}

/** A tenant could not be made. Neither its row nor its schema is there. */
export class ProvisioningFailedError extends TenancyError {
  readonly code = 'PROVISIONING_FAILED';

  constructor(slug: string, cause: unknown) {
    super(
      `The tenant "${slug}" could not be created; nothing of it was kept: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}
