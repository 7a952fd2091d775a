import { isObject } from '../common/options/kinds';
import { type Given, OptionsRule } from '../common/options/option.decorator';
import { show } from '../common/show-value';
import { CheckedConnectionOptions } from '../connection/connection.options';
import type { TenancyDatabaseOptions } from '../connection/database.options';
import { CheckedFurtherOptions } from '../connection/typeorm/typeorm.options';
import { DEFAULT_SERVER, isServerName } from '../placement/place';
import { CheckedProvisioningOptions, MIGRATIONS_REMEDY } from '../provisioning/provisioning.options';
import { CheckedRegistryOptions, type GivenRegistryOptions } from '../registry/registry.options';
import { CheckedResolutionOptions, type ResolutionOptions } from '../resolution/resolution.options';

/** Token of the checked options. */
export const TENANCY_OPTIONS = Symbol('TENANCY_OPTIONS');

/**
 * Token of an `OptionsChange`, looked up among global providers. The command line provides it, because it starts an
 * application for another purpose than to serve requests.
 */
export const TENANCY_OPTIONS_CHANGE = Symbol('TENANCY_OPTIONS_CHANGE');

/** Returns changed options after the check. An error that it throws fails the start. */
export type OptionsChange = (options: CheckedTenancyOptions) => CheckedTenancyOptions;

/** Rules between options that different folders declare. */
@OptionsRule<CheckedTenancyOptions>(
  (
    { templateSchema, registry, servers, placement, sharedSchemas, sharedMigrations },
    _given,
    environment,
  ) => {
    const shared: readonly unknown[] = Array.isArray(sharedSchemas) ? sharedSchemas : [];
    const strangers = Object.keys(isObject(sharedMigrations) ? sharedMigrations : {}).filter(
      (name) => !shared.includes(name),
    );
    const placed: unknown = isObject(placement?.default) ? placement.default.server : undefined;
    return [
      isServerName(placed) &&
        placed !== DEFAULT_SERVER &&
        !Object.hasOwn(isObject(servers) ? servers : {}, placed) && {
          field: 'placement.default.server',
          message: `is ${show(placed)}, which servers does not name: name one of them, or ${show(DEFAULT_SERVER)}`,
        },
      registry.schema === templateSchema && {
        field: 'registry.schema',
        message: `is ${show(registry.schema)}, and templateSchema is the same: give them different names`,
      },
      shared.includes(templateSchema) && {
        field: 'sharedSchemas',
        message: `contains the template, ${show(templateSchema)}, so tenants would see its tables: leave it out`,
      },
      shared.includes(registry.schema) && {
        field: 'sharedSchemas',
        message: `contains the registry, ${show(registry.schema)}, so tenants would see each other there: leave it out`,
      },
      strangers.length > 0 && {
        field: 'sharedMigrations',
        message: `is ${show(sharedMigrations)}: ${MIGRATIONS_REMEDY}`,
      },
      Boolean(environment.NODE_PG_FORCE_NATIVE) && {
        field: 'NODE_PG_FORCE_NATIVE',
        message: 'is set, but the native driver cannot carry a tenant with a statement: unset it',
      },
    ];
  },
)
class Together {}

/** All options of `TenancyModule`: each folder declares its own. */
export const DECLARED = [
  CheckedConnectionOptions,
  CheckedResolutionOptions,
  CheckedRegistryOptions,
  CheckedProvisioningOptions,
  CheckedFurtherOptions,
  Together,
];

/** What `TenancyModule` is told. */
export interface TenancyOptions
  extends
    Given<Omit<CheckedConnectionOptions, 'database' | 'entities'>, 'moves'>,
    Pick<CheckedConnectionOptions, 'entities'>,
    ResolutionOptions,
    GivenRegistryOptions,
    Given<CheckedProvisioningOptions, 'hooks' | 'placement' | 'spares' | 'sweeper'>,
    CheckedFurtherOptions {
  /** How to reach PostgreSQL. `database.url` falls back to `TENANCY_DATABASE_URL`, then `DATABASE_URL`. */
  readonly database?: TenancyDatabaseOptions;
}

/** The options with defaults and environment filled in, as the module works with them. */
export interface CheckedTenancyOptions
  extends
    CheckedConnectionOptions,
    CheckedResolutionOptions,
    CheckedRegistryOptions,
    CheckedProvisioningOptions,
    CheckedFurtherOptions {
  /** The start leaves the template as it is, even if it is behind. Only by `OptionsChange`. */
  readonly leaveTemplate?: boolean;
}
