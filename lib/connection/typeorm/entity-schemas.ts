import type { DataSource, EntityMetadata } from 'typeorm';
import { EntityNamesSchemaError } from '../connection-start.errors';

/**
 * Refuses entities that say where they are: all tenants would share the table, whoever asks. In a shared schema they do
 * so on purpose.
 *
 * Looks at what TypeORM has made of decorators, `EntitySchema`s and the naming strategy: tables, views, the tables of
 * `@JoinTable()` and of closure trees, and enums of columns. A dot in a name separates a schema from it, as TypeORM reads
 * it.
 *
 * @throws EntityNamesSchemaError naming each
 */
export function checkEntitySchemas(
  { entityMetadatas }: Pick<DataSource, 'entityMetadatas'>,
  sharedSchemas: readonly string[],
): void {
  const problems = entityMetadatas.flatMap((metadata) => {
    const places = [...placesOf(metadata)].filter(({ schema }) => !sharedSchemas.includes(schema));
    const what = places.map(({ name, schema }) => `${metadata.name}: ${name} is in the schema "${schema}"`);
    if (metadata.database !== undefined)
      what.push(
        `${metadata.name}: its database is "${metadata.database}", and there is but the tenants' one`,
      );
    return what;
  });
  if (problems.length > 0) throw new EntityNamesSchemaError(problems);
}

function* placesOf({ tablePath, columns }: EntityMetadata): Generator<{ name: string; schema: string }> {
  const path = splitPath(tablePath);
  if (path) yield { name: `"${path.name}"`, schema: path.schema };
  for (const { enumName, propertyPath } of columns) {
    const type = enumName === undefined ? undefined : splitPath(enumName);
    if (type) yield { name: `the enum "${type.name}" of ${propertyPath}`, schema: type.schema };
  }
}

function splitPath(path: string): { readonly schema: string; readonly name: string } | undefined {
  const dot = path.lastIndexOf('.');
  return dot === -1 ? undefined : { schema: path.slice(0, dot), name: path.slice(dot + 1) };
}
