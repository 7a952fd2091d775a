import { createHash } from 'node:crypto';
import { OWN_NAME } from './schema-name';

const PREFIX = 't_';
const HEX_DIGITS = 20;

/**
 * The PostgreSQL role of the tenant with that schema. When we made the schema's name, which no other database of the
 * server has, the role has the same name; a schema that was adopted may be named like somebody's login, so its role is
 * `t_` and 20 hex digits of the name's SHA-256.
 */
export function roleOfSchema(schemaName: string): string {
  if (new RegExp(OWN_NAME).test(schemaName)) return schemaName;
  return PREFIX + createHash('sha256').update(schemaName).digest('hex').slice(0, HEX_DIGITS);
}

/** The same in SQL, as a `name`. `schemaName`: an expression for the schema's. */
export function roleOfSchemaSql(schemaName: string): string {
  return (
    `(CASE WHEN ${schemaName}::text ~ '${OWN_NAME}' THEN ${schemaName}::text ELSE '${PREFIX}' || pg_catalog.left(` +
    `pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(${schemaName}::text, 'UTF8')), 'hex'), ${HEX_DIGITS}) END)::name`
  );
}
