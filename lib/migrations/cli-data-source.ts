import type { DataSource } from 'typeorm';
import { quoteIdentifier } from '../common/sql';
import { connectionOf, withOptions } from '../connection/typeorm/own-connections';
import { NotSharedError } from './migrations.errors';
import { TemplateDataSource } from './template-data-source';
import { resolveOptions } from '../options/resolve-options';
import type { TenancyOptions } from '../options/tenancy.options';

/** The options of `TenancyModule.forRoot()` that this data source needs. */
export type TenantDataSourceOptions = Pick<
  TenancyOptions,
  | 'database'
  | 'entities'
  | 'migrations'
  | 'subscribers'
  | 'sharedSchemas'
  | 'sharedMigrations'
  | 'templateSchema'
  | 'registry'
  | 'typeorm'
> & {
  /** One of the `sharedSchemas`, with its entities and its `sharedMigrations`, instead of the template. */
  readonly shared?: string;
};

/**
 * A data source of the template for TypeORM's own command line: `export default tenantDataSource({ … })`, then `typeorm
 * migration:generate -d …`. Generated statements name no schema. It does not serve requests.
 *
 * @throws InvalidTenancyOptionsError when an option is not valid
 * @throws NotSharedError when `shared` is not one of the `sharedSchemas`
 */
export function tenantDataSource({ shared, ...options }: TenantDataSourceOptions): DataSource {
  const resolved = resolveOptions({ ...options, resolvers: [() => undefined] });
  const { database, entities, migrations, subscribers, sharedSchemas, templateSchema, registry, typeorm } =
    resolved;
  if (shared !== undefined && !sharedSchemas.includes(shared))
    throw new NotSharedError(shared, sharedSchemas);
  const schemaName = shared ?? templateSchema;
  const { extra, ...connection } = connectionOf(database);
  const url = database.adminUrl ?? database.directUrl ?? connection.url;
  const startUp = [extra?.options, searchPath([schemaName, ...sharedSchemas])].filter(Boolean).join(' ');
  return new TemplateDataSource(
    {
      ...typeorm,
      ...connection,
      ...(url !== undefined && {
        url: withOptions(withoutOptions(url), `${optionsOf(url)} ${startUp}`.trim()),
      }),
      type: 'postgres',
      entities,
      migrations: shared === undefined ? migrations : resolved.sharedMigrations[shared],
      subscribers,
      installExtensions: false,
      uuidExtension: 'pgcrypto',
      extra: { ...extra, options: startUp },
    },
    { schemaName, isShared: shared !== undefined, registrySchema: registry.schema, sharedSchemas },
  );
}

/** As a start-up option, in which a space must follow a backslash. */
function searchPath(schemas: readonly string[]): string {
  const path = schemas.map((name) => quoteIdentifier(name)).join(',');
  return `-c search_path=${path.replaceAll(/[\\ ]/g, '\\$&')}`;
}

function optionsOf(url: string): string {
  return new URL(url).searchParams.get('options') ?? '';
}

function withoutOptions(url: string): string {
  const parsed = new URL(url);
  parsed.searchParams.delete('options');
  return parsed.href;
}
