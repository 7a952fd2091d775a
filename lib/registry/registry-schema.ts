import type { DataSource } from 'typeorm';

export const DEFAULT_REGISTRY_SCHEMA = 'tenancy';

/** 1 to 63 lower-case characters: TypeORM splits names at dots and does not double the quotes in all of its SQL. */
const PLAIN_NAME = /^(?!pg_)[a-z_][a-z0-9_]{0,62}$/;

/** Returns `name`. Throws `RangeError` when it is not a plain name: PostgreSQL keeps `pg_` for its own schemas. */
export function checkRegistrySchema(name: string): string {
  if (PLAIN_NAME.test(name)) return name;
  throw new RangeError(
    `${JSON.stringify(name.slice(0, 80))} cannot be the registry's schema. Use 1 to 63 characters of a-z, 0-9 and _, ` +
      'not beginning with a digit or with pg_.',
  );
}

/** The schema that holds the registry's tables, as its DataSource was told. */
export function registrySchema({ options }: DataSource): string {
  const schema: unknown = 'schema' in options ? options.schema : undefined;
  return checkRegistrySchema(typeof schema === 'string' ? schema : DEFAULT_REGISTRY_SCHEMA);
}
