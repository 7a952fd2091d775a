import {
  classes,
  flag,
  group,
  isPlainObject,
  isPostgresUrl,
  isSchemaName,
  SCHEMA_RULE,
  texts,
} from '../common/options/kinds';
import { Option, OptionsRule } from '../common/options/option.decorator';
import { showUrl } from '../common/show-value';
import type { FieldError } from '../common/tenancy.errors';
import { CheckedMovesOptions } from '../placement/moves.options';
import type { CheckedRegistryPlace } from '../registry/registry.options';
import { CheckedDatabaseOptions, type PostgresOptions } from './database.options';
import { type ServerOptions, type Servers, servers } from './servers/server.options';
import type { CheckedTypeOrmOptions } from './typeorm/typeorm.options';

/** Token of the options below. */
export const CONNECTION_OPTIONS = Symbol('CONNECTION_OPTIONS');

/** What servers must have to do with the rest. What a server itself has wrong is told already. */
function serverProblems(
  servers: unknown,
  { roles, url }: { readonly roles: unknown; readonly url: string | undefined },
): FieldError[] {
  const known = new Map([[url, 'database.url']]);
  return Object.entries(isPlainObject(servers) ? servers : {}).flatMap(([name, server]) => {
    if (!isPlainObject(server)) return [];
    const { url: own, adminUrl } = server as Partial<ServerOptions>;
    const field = `servers.${name}`;
    const same = own === undefined ? undefined : known.get(own);
    known.set(own, `${field}.url`);
    return [
      ...(same ? [{ field: `${field}.url`, message: `is the same as ${same}: name each server once` }] : []),
      ...ownerProblems(field, roles, { url: own, adminUrl }),
    ];
  });
}

/** Whether a server has an owner of its own where there are roles, and only there. `orElse` ends what to do without one. */
function ownerProblems(
  server: string,
  roles: unknown,
  { url, adminUrl }: Pick<ServerOptions, 'adminUrl'> & { readonly url?: string },
  orElse = '',
): FieldError[] {
  const refuse = (message: string): FieldError[] => [{ field: `${server}.adminUrl`, message }];
  if (roles !== true)
    return isPostgresUrl(adminUrl)
      ? refuse(`is ${showUrl(adminUrl)}, but nothing uses it without roles: set roles: true, or leave it out`)
      : [];
  if (adminUrl === undefined)
    return refuse(`is missing: with roles requests own nothing, so give a URL whose role does${orElse}`);
  return adminUrl === url
    ? refuse(
        `is the same as ${server}.url: with roles requests must come by another role than the one that owns the schemas`,
      )
    : [];
}

/** What the data sources are made of. */
@OptionsRule<CheckedConnectionOptions>(({ roles, database, servers }) => [
  ...serverProblems(servers, { roles, url: database.url }),
  ...ownerProblems('database', roles, database, ', or set TENANCY_ADMIN_URL'),
])
export class CheckedConnectionOptions {
  /** How to reach PostgreSQL. `database.url` falls back to `TENANCY_DATABASE_URL`, then `DATABASE_URL`. */
  @Option(group(CheckedDatabaseOptions))
  readonly database: CheckedDatabaseOptions = new CheckedDatabaseOptions();

  /**
   * Further PostgreSQL servers for tenants, by name. The registry stays on the one that `database` names, which is called
   * `default`. Default none.
   *
   * @see docs/placement.md
   */
  @Option(servers())
  readonly servers: Servers = {};

  /** How tenants move from one place to another. @see docs/placement.md#moving-a-tenant */
  @Option(group(CheckedMovesOptions))
  readonly moves: CheckedMovesOptions = new CheckedMovesOptions();

  /** Every entity of the tenants' data source, as in TypeORM. Entities name no schema. */
  @Option(classes('list the entities of your tenants, [] if there are none'), { required: true })
  readonly entities!: NonNullable<PostgresOptions['entities']>;

  /** The application's TypeORM migrations, written with unqualified names: they build the template. Default none. */
  @Option(classes('give a list'))
  readonly migrations?: PostgresOptions['migrations'];

  /** As in TypeORM. Default none. */
  @Option(classes('give a list'))
  readonly subscribers?: PostgresOptions['subscribers'];

  /**
   * A second wall: each tenant gets a PostgreSQL role with rights on its own schema only, and its statements run as that
   * role. Needs `database.adminUrl`. Default false.
   *
   * @see docs/roles.md
   */
  @Option(flag(), { variable: 'TENANCY_ROLES' })
  readonly roles: boolean = false;

  /**
   * Schemas that every tenant sees after its own: extensions, look-up tables. Default none.
   *
   * @see docs/template.md#shared-schemas
   */
  @Option(texts(`give a list of names; each ${SCHEMA_RULE}`, isSchemaName), {
    variable: 'TENANCY_SHARED_SCHEMAS',
  })
  readonly sharedSchemas: readonly string[] = [];
}

/** What the data sources need of the options. */
export interface ConnectionOptions extends CheckedConnectionOptions {
  readonly typeorm?: CheckedTypeOrmOptions;
  readonly registry: CheckedRegistryPlace;
}
