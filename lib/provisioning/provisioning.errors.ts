import { HttpStatus } from '@nestjs/common';
import { messageOf } from '../common/error-message';
import { withHint } from '../common/database-hint';
import { OperatorError, TenancyError } from '../common/tenancy.errors';

/** What may be left of a tenant that could not be made, and why it could not be removed. */
export interface LeftBehind {
  readonly id: string;
  readonly schemaName: string;
  readonly why: unknown;
}

/** A tenant could not be made. Neither its row nor its schema is there, unless the message says that they may be. */
export class ProvisioningFailedError extends OperatorError {
  readonly code = 'PROVISIONING_FAILED';

  constructor(slug: string, cause: unknown, left?: LeftBehind) {
    super(
      left
        ? `The tenant "${slug}" could not be created: ${withHint(cause)}. What is left of it could not be removed ` +
            `(${withHint(left.why)}): look for its row (${left.id}) in the registry, and for the schema ${left.schemaName}.`
        : `The tenant "${slug}" could not be created; nothing of it was kept: ${withHint(cause)}`,
      { cause },
    );
  }
}

/** A tenant cannot be purged now. What was dropped before stays dropped. */
export class PurgeBlockedError extends TenancyError {
  readonly code = 'PURGE_BLOCKED';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor(slug: string, why: string, options?: { cause?: unknown }) {
    super(`The tenant "${slug}" cannot be purged now: ${why}`, options);
  }
}

/** A schema that was to be dropped does not say that it belongs to this registry. Nothing of it was dropped. */
export class SchemaNotMarkedError extends TenancyError {
  readonly code = 'SCHEMA_NOT_MARKED';
  override readonly statusCode = HttpStatus.CONFLICT;

  /** `owner` is the registry that its comment names; `remedy`, the statement that marks it. */
  constructor(
    readonly schemaName: string,
    readonly owner: string | null,
    remedy: string,
    what: 'schema' | 'database' = 'schema',
  ) {
    super(
      `The ${what} "${schemaName}" is not dropped, because its comment ` +
        (owner === null ? 'does not say whose it is' : `says that it belongs to another registry, ${owner}`) +
        `. If you are sure that it belongs to this registry, mark it and try again: ${remedy}`,
    );
  }
}

/** A schema was to be dropped, but another registry in the database has the same id: the mark may be that one's. */
export class RegistryCopiedError extends TenancyError {
  readonly code = 'REGISTRY_COPIED';
  override readonly statusCode = HttpStatus.CONFLICT;

  /** `copies` are the schemas of the others; `remedy`, the statement that makes one of them another registry. */
  constructor(
    readonly schemaName: string,
    readonly copies: readonly string[],
    remedy: string,
  ) {
    super(
      `The schema "${schemaName}" is not dropped: the registry in ${copies.map((name) => `"${name}"`).join(', ')} has the ` +
        `same id as this one, so the schema may belong to a tenant of that one. Drop the copy, or give it an id of its own: ${remedy}`,
    );
  }
}

/** A purge stopped half-way. The next purge, or the sweeper, goes on where it stopped. */
export class PurgeFailedError extends OperatorError {
  readonly code = 'PURGE_FAILED';

  constructor(slug: string, cause: unknown) {
    super(
      `The tenant "${slug}" is purged only in part; call purge again to go on: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

/** SQLSTATE unique_violation. */
const UNIQUE_VIOLATION = '23505';

/**
 * A hook failed, so the tenant was not made, and nothing of it is kept. When the hook has ended the transaction itself, what
 * it wrote elsewhere may be kept.
 */
export class ProvisionHookFailedError extends OperatorError {
  readonly code = 'PROVISION_HOOK_FAILED';

  constructor(
    readonly hook: string,
    /** How the tenant was to be made: `create`, `clone`, `adopt` or `import`. */
    readonly origin: string,
    cause: unknown,
    { hasEnded = false }: { readonly hasEnded?: boolean } = {},
  ) {
    super(
      `The hook "${hook}" failed (origin: ${origin}), so the tenant was not created; ` +
        (hasEnded ? endedBy(cause) : `nothing of it was kept: ${messageOf(cause)}`) +
        (wasThere(origin, cause) ? `. A tenant of this origin has rows already: ${TELL_APART}` : ''),
      { cause },
    );
  }
}

/** What the hook wrote before its own COMMIT is committed. After that, or after a ROLLBACK, each statement was by itself. */
function endedBy(cause: unknown): string {
  return (
    'it ended the transaction that it was given, so what it wrote elsewhere than in the schema of the tenant and under its id ' +
    'may be committed, and cannot be taken back: look for it there, and send no COMMIT or ROLLBACK in a hook' +
    (cause === undefined ? '' : `. It failed afterwards: ${messageOf(cause)}`)
  );
}

const TELL_APART = 'the hook gets the origin as its third argument, and can leave them as they are.';

/** Whether the hook tried to insert a row that a copied tenant has already. */
function wasThere(origin: string, cause: unknown): boolean {
  return origin !== 'create' && (cause as { code?: unknown } | undefined)?.code === UNIQUE_VIOLATION;
}

/** A hook failed, so a step in a tenant's life was not taken; a purge that had begun stays unfinished. */
export class TransitionHookFailedError extends OperatorError {
  readonly code = 'TRANSITION_HOOK_FAILED';

  constructor(
    readonly hook: string,
    slug: string,
    readonly step: string,
    cause: unknown,
  ) {
    super(
      `The hook "${hook}" failed, so the step "${step}" of the tenant "${slug}" was not taken: ` +
        (cause instanceof Error ? cause.message : String(cause)) +
        (step === 'purge' ? ' Its schema is still there: call purge again when the cause is gone.' : ''),
      { cause },
    );
  }
}

/** The tenant has not proven that it owns the domain. Nothing was written. */
export class DomainNotProvenError extends TenancyError {
  readonly code = 'DOMAIN_NOT_PROVEN';
  override readonly statusCode = HttpStatus.UNPROCESSABLE_ENTITY;

  /** `remedy` ends the sentence: what the caller who asked for the domain must do. */
  constructor(
    readonly domain: string,
    slug: string,
    remedy: string,
    options?: { cause?: unknown },
  ) {
    super(`The tenant "${slug}" has not proven that it owns the domain "${domain}": ${remedy}.`, options);
  }
}

/** A schema to be adopted is not like the template. Nothing was changed. */
export class SchemaDiffersError extends TenancyError {
  readonly code = 'SCHEMA_DIFFERS';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor(
    readonly schemaName: string,
    readonly differences: readonly string[],
  ) {
    super(
      `The schema "${schemaName}" cannot be adopted, because it differs from the template:\n` +
        differences.map((difference) => `- ${difference}`).join('\n') +
        '\nBring it up to date first, or adopt it as it is with { force: true }: the migrations of later versions must ' +
        'then be able to cope with it.',
    );
  }
}

/** The schema cannot become a tenant's, because it is missing, shared, or used otherwise. */
export class SchemaNotAdoptableError extends TenancyError {
  readonly code = 'SCHEMA_NOT_ADOPTABLE';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor(
    readonly schemaName: string,
    why: string,
  ) {
    super(`The schema "${schemaName.slice(0, 80)}" cannot be adopted: ${why}.`);
  }
}

/** A migration with `transaction = false` was begun and not completed. A person must decide how to go on. */
export class MigrationUnfinishedError extends TenancyError {
  readonly code = 'MIGRATION_UNFINISHED';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor(
    readonly migration: string,
    { label, schemaName }: { readonly label: string; readonly schemaName: string },
    why: string | null,
    /** Names of indexes in that schema that are not valid. */
    readonly invalidIndexes: readonly string[],
    options?: { cause?: unknown },
  ) {
    super(
      `The migration ${migration}, which says transaction = false, did not come to its end in ${label}: ` +
        `${why ?? 'its process died or lost its connection, or it still runs in another session'}. ` +
        `A part of it may be there, so no run tries it again by itself. Look at the schema "${schemaName}"` +
        (invalidIndexes.length === 0
          ? ''
          : `, which has indexes that are not valid (${invalidIndexes.join(', ')})`) +
        `, and mend it. Then call FleetMigrator.resolve('${migration}', 'done') if all of it is there, or with 'rerun' if ` +
        'nothing of it is left and the next run is to try again.',
      options,
    );
  }
}

/** Another session is running migrations there. */
export class MigrationBusyError extends TenancyError {
  readonly code = 'MIGRATION_BUSY';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor(migration: string, label: string) {
    super(
      `The migration ${migration} cannot begin in ${label}: another session is at work there. Try again later.`,
    );
  }
}

/** A tenant's schema is missing. Nothing was run, because it would have changed the shared schemas on the same path. */
export class SchemaGoneError extends OperatorError {
  readonly code = 'SCHEMA_GONE';

  constructor(label: string, schemaName: string) {
    super(
      `The schema "${schemaName}" of ${label} is gone. Bring it back from a backup, or delete and purge the tenant.`,
    );
  }
}

/** The template cannot be cloned while a migration with `transaction = false` runs on it, or has stopped half-way. */
export class TemplateUnfinishedError extends TenancyError {
  readonly code = 'TEMPLATE_UNFINISHED';
  override readonly statusCode = HttpStatus.SERVICE_UNAVAILABLE;

  constructor(migration: string, why: string | null) {
    super(
      `The template is between two versions: ${migration}, which says transaction = false, ` +
        (why === null
          ? 'is running there, or its process died. Try again later.'
          : `did not come to its end: ${why}. FleetMigrator.resolve() says what is to be done.`),
    );
  }
}
