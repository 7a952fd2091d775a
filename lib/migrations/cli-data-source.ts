import type { DataSource } from 'typeorm';
import { quoteIdentifier } from '../common/sql';
import { connectionOf, withOptions } from '../connection/typeorm/data-sources';
import { NotSharedError } from './migrations.errors';
import { TemplateDataSource } from './template-data-source';
import { resolveOptions } from '../options/resolve-options';
import type { TenancyOptions } from '../options/tenancy.options';

/** The same options as those of `TenancyModule.forRoot()`; of those that are missing here nothing is needed. */
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
  /** Instead of the template, this one of the `sharedSchemas`, with its entities and its `sharedMigrations`. */
  readonly shared?: string;
};

/**
 * The template as a data source for TypeORM's own command line: `export default tenantDataSource({ … })`, then
 * `typeorm migration:generate -d …`. What it generates names no schema. It serves no requests.
 *
 * @throws InvalidTenancyOptionsError, NotSharedError
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

/** As a start-up option, in which a backslash takes the meaning from a space. */
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
