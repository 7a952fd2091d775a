import { listed } from '../common/listed';
import { inRemedy } from '../common/sql';
import { StartError } from '../common/start.errors';

/** Names shown of each kind, because a sentence lists both. */
const MAX_NAMED = 5;

/** A migration cannot be run on the template, or failed there. Nothing of this run was kept. */
export class TemplateMigrationError extends StartError {
  readonly code = 'TEMPLATE_MIGRATION_FAILED';

  constructor(migration: string, why: string, options?: { cause?: unknown }) {
    super(`The migration ${migration} cannot build the template: ${why}`, options);
  }
}

/** Migrations are waiting and the application was told not to run them. */
export class TemplateBehindError extends StartError {
  readonly code = 'TEMPLATE_BEHIND';

  constructor(pending: readonly string[]) {
    super(
      `The template has not seen ${pending.join(', ')}. Start one instance with migrateTemplate: true (or without ` +
        'TENANCY_MIGRATE_TEMPLATE=false) first: a tenant cloned now would lack them.',
    );
  }
}

/** `sharedSchemas` names a schema that does not exist. Nothing was run. */
export class SharedSchemaMissingError extends StartError {
  readonly code = 'SHARED_SCHEMA_MISSING';
  declare readonly schemaNames: readonly string[];

  constructor(schemaNames: readonly string[]) {
    const commands = schemaNames.map((name) => `CREATE SCHEMA ${inRemedy(name)}`);
    super(
      `sharedSchemas names ${schemaNames.map((name) => `"${name}"`).join(', ')}, and this database has no such schema. Make it ` +
        `(${commands.join('; ')}), or take it out of sharedSchemas.`,
      { details: { schemaNames } },
    );
  }
}

/** A migration of a shared schema failed. Nothing of it was kept. */
export class SharedMigrationError extends StartError {
  readonly code = 'SHARED_MIGRATION_FAILED';

  constructor(schemaName: string, migration: string, cause: Error) {
    super(
      `The migration ${migration} of the shared schema "${schemaName}" failed: ${cause.message.replace(/\.?$/, '.')} Nothing of ` +
        'it was kept; correct it and start again.',
      { cause },
    );
  }
}

/**
 * The code knows none of the migrations that the template has seen, so it is another application's. Nothing was run.
 */
export class TemplateForeignError extends StartError {
  readonly code = 'TEMPLATE_FOREIGN';

  constructor(
    unknown: readonly string[],
    pending: readonly string[],
    { templateSchema, registrySchema }: { readonly templateSchema: string; readonly registrySchema: string },
  ) {
    super(
      `The template "${templateSchema}" has seen ${listed(unknown, MAX_NAMED)}, which this code does not have, and none of the migrations that it has ` +
        `(${listed(pending, MAX_NAMED)}). If another application uses this database, give this one a templateSchema (now ` +
        `"${templateSchema}") and a registry.schema (now "${registrySchema}") of its own. If the migrations were removed ` +
        'from this code, bring them back: the version of a tenant is the list of migrations that it has seen.',
    );
  }
}

/** A provider with `@OnProvision()` or `@OnTransition()` cannot be called. Thrown at start. */
export class InvalidHookError extends StartError {
  readonly code = 'HOOK_INVALID';

  constructor(
    hook: string,
    decorator: string,
    why: string,
    remedy = 'It must be a class of the default scope with that method.',
  ) {
    super(`The provider ${hook} has ${decorator}, but ${why}. ${remedy}`);
  }
}

/** Rows were to be copied, or columns masked, of tables that the schema does not have. */
export class UnknownTableError extends StartError {
  readonly code = 'UNKNOWN_TABLE';
  declare readonly schemaName: string;
  declare readonly names: readonly string[];

  constructor(schemaName: string, names: readonly string[]) {
    super(
      `The schema "${schemaName}" has no table or writable column ${names.join(', ')}. Write names without ` +
        'quotes and without a schema: templateData names tables, and a mask names tables and their columns.',
      { details: { schemaName, names } },
    );
  }
}

/** The start found rights that let one tenant reach another in spite of roles. Nothing was served. */
export class RolesNotSafeError extends StartError {
  readonly code = 'ROLES_NOT_SAFE';
  declare readonly problems: readonly { readonly code: string; readonly message: string }[];

  constructor(problems: readonly { readonly code: string; readonly message: string }[]) {
    super(
      'With roles: true PostgreSQL must keep each tenant to its own schema, and here it would not:\n' +
        problems.map(({ message }) => `- ${message}`).join('\n'),
      { details: { problems } },
    );
  }
}
