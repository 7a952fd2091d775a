import type { DataSource } from 'typeorm';
import { quoteIdentifier } from './common/sql';
import { connectionOf, withOptions } from './data-sources';
import { TemplateDataSource } from './migrations/template-data-source';
import { resolveOptions } from './resolve-options';
import type { TenancyOptions } from './tenancy.options';

/** The same options as those of `TenancyModule.forRoot()`; of those that are missing here nothing is needed. */
export type TenantDataSourceOptions = Pick<
  TenancyOptions,
  | 'database'
  | 'entities'
  | 'migrations'
  | 'subscribers'
  | 'sharedSchemas'
  | 'templateSchema'
  | 'registry'
  | 'typeorm'
>;

/**
 * The template as a data source for TypeORM's own command line: `export default tenantDataSource({ … })`, then
 * `typeorm migration:generate -d …`. What it generates names no schema. It serves no requests.
 *
 * @throws InvalidTenancyOptionsError
 */
export function tenantDataSource(options: TenantDataSourceOptions): DataSource {
  const resolved = resolveOptions({ ...options, resolvers: [() => undefined] });
  const { database, entities, migrations, subscribers, sharedSchemas, templateSchema, registry, typeorm } =
    resolved;
  const { extra, ...connection } = connectionOf(database);
  const url = database.adminUrl ?? database.directUrl ?? connection.url;
  const startUp = [extra?.options, searchPath([templateSchema, ...sharedSchemas])].filter(Boolean).join(' ');
  return new TemplateDataSource(
    {
      ...typeorm,
      ...connection,
      ...(url !== undefined && {
        url: withOptions(withoutOptions(url), `${optionsOf(url)} ${startUp}`.trim()),
      }),
      type: 'postgres',
      entities,
      migrations,
      subscribers,
      installExtensions: false,
      uuidExtension: 'pgcrypto',
      extra: { ...extra, options: startUp },
    },
    { templateSchema, registrySchema: registry.schema, sharedSchemas },
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
