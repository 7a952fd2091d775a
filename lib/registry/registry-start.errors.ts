import { inRemedy } from '../common/sql';
import { StartError } from '../common/start.errors';

/** The registry's tables are missing or older than this version of the package. */
export class RegistryNotMigratedError extends StartError {
  readonly code = 'REGISTRY_NOT_MIGRATED';
  declare readonly schema: string;
  declare readonly pending: readonly string[];

  /** `isThere`: whether any table of the registry exists. */
  constructor(schema: string, pending: readonly string[], isThere: boolean, unknown: readonly string[] = []) {
    super(
      isThere
        ? `The tenant registry in schema "${schema}" lacks these migrations: ${pending.join(', ')}. ` +
            (unknown.length > 0 ? `It ${seenByNewer(unknown)}. ` : '') +
            'This instance was told not to run them. Run "tenancy migrate up" once as a step of the deployment, ' +
            'or let an instance run them when it starts.'
        : `The schema "${schema}" has no registry yet. Run "tenancy migrate up" once as a step of the deployment, or let an instance ` +
            'make it when it starts.',
      { details: { schema, pending } },
    );
  }
}

/** The registry was migrated by a newer version of the package, and what this one lacks of it cannot be made. Nothing was made. */
export class RegistryNewerError extends StartError {
  readonly code = 'REGISTRY_NEWER';
  declare readonly schema: string;
  declare readonly unknown: readonly string[];
  declare readonly pending: readonly string[];

  constructor(schema: string, unknown: readonly string[], pending: readonly string[], cause: Error) {
    super(
      `The tenant registry in schema "${schema}" ${seenByNewer(unknown)}. What this version would still run ` +
        `(${pending.join(', ')}) cannot be run beside that: ${cause.message.replace(/\.?$/, '.')} Nothing of it was kept. Start the ` +
        'version of nestjs-tenancy that has migrated the registry, or a newer one. To go back to this one, restore the database ' +
        'as it was before.',
      { cause, details: { schema, unknown, pending } },
    );
  }
}

function seenByNewer(unknown: readonly string[]): string {
  return `was migrated by a newer version of nestjs-tenancy: it has seen ${unknown.join(', ')}, which this version does not know`;
}

/** The role that migrates the registry may not make its tables. Nothing was made. */
export class RegistryRightsError extends StartError {
  readonly code = 'REGISTRY_RIGHTS_MISSING';
  declare readonly schema: string;
  declare readonly pending: readonly string[];

  constructor(schema: string, pending: readonly string[], cause: Error) {
    super(
      `The tenant registry in schema "${schema}" lacks these migrations: ${pending.join(', ')}. The role that logs in may not run them: ` +
        `${cause.message}. Run "tenancy migrate up" as the role that owns the registry's tables. Or let this one make more: ` +
        `GRANT CREATE ON SCHEMA ${inRemedy(schema)} TO <role>, GRANT INSERT ON ${inRemedy(schema)}.registry_migrations TO <role> and ` +
        `GRANT USAGE ON SEQUENCE ${inRemedy(schema)}.registry_migrations_id_seq TO <role>.`,
      { cause, details: { schema, pending } },
    );
  }
}
