/** SQL that the lines of the structure are built from. */
import { ROW_CATALOGS, type RowCatalog, toldColumns } from './catalog-columns';
import { FIRST_OWN_OID, ifAny } from './catalogs-in-use';

/** JSON of the columns of a catalog row that belong to the structure. */
export function rowOf(alias: string, catalog: RowCatalog): string {
  return `(SELECT jsonb_object_agg(key, value) FROM jsonb_each(to_jsonb(${alias})) WHERE key = ANY (${told(catalog)}))`;
}

function told(catalog: RowCatalog): string {
  return `'{${toldColumns(catalog).join(',')}}'::text[]`;
}

/**
 * An expression in two forms: one for people, and one for hashing. The second distinguishes the same things on one
 * server, faster: it uses the oids of PostgreSQL's own objects, and the parts of a definition instead of its text.
 */
export function either(forPeople: string, forHashing: string): string {
  return `/*people<*/${forPeople}/*>people*//*hashing<*/${forHashing}/*>hashing*/`;
}

/** The lines in the form for people. */
export function forPeople(lines: string): string {
  return lines
    .replaceAll(/\/\*hashing<\*\/[^]*?\/\*>hashing\*\//g, '')
    .replaceAll(/\/\*[<>]?people[<>]?\*\//g, '');
}

function forHashing(lines: string): string {
  return lines
    .replaceAll(/\/\*people<\*\/[^]*?\/\*>people\*\//g, '')
    .replaceAll(/\/\*[<>]?hashing[<>]?\*\//g, '');
}

/** Whether PostgreSQL itself brought the object, so that its oid means the same in every database of the server. */
function isBuiltIn(oid: string): string {
  return `${oid} < ${FIRST_OWN_OID}`;
}

/** A type and its modifier. */
export function typeOf(type: string, modifier: string): string {
  const words = `format_type(${type}, ${modifier})`;
  return either(
    words,
    `CASE WHEN ${isBuiltIn(type)} THEN concat(${type}, ' ', ${modifier}) ELSE ${words} END`,
  );
}

/** The collation, NULL for an object without one. */
export function collationOf(collation: string): string {
  const words = `nullif(${collation}, 0)::regcollation::text`;
  return either(words, `CASE WHEN ${isBuiltIn(collation)} THEN ${collation}::text ELSE ${words} END`);
}

/** The name of an access method. */
export function methodOf(method: string): string {
  const words = `(SELECT amname FROM pg_am WHERE oid = ${method})`;
  return either(words, `CASE WHEN ${isBuiltIn(method)} THEN ${method}::text ELSE ${words} END`);
}

/**
 * The same lines in the form for hashing: plain text instead of JSON, which takes PostgreSQL a third of the time.
 * `columnsOf` returns all columns of a catalog on this server.
 */
export function withoutJson(lines: string, columnsOf: (catalog: string) => readonly string[]): string {
  const bare = ROW_CATALOGS.reduce((sql, catalog) => {
    const columns = toldColumns(catalog).filter((column) => columnsOf(catalog).includes(column));
    const pattern = new RegExp(escape(rowOf('ALIAS', catalog)).replace('ALIAS', String.raw`(\w+)`), 'g');
    return sql.replaceAll(
      pattern,
      (_whole, alias: string) => `ROW(${columns.map((column) => `${alias}.${column}`).join(', ')})::text`,
    );
  }, forHashing(lines));
  return bare.replaceAll('jsonb_build_object(', 'ROW(');
}

function escape(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

export function sorted(array: string): string {
  return `(SELECT array_agg(element ORDER BY element COLLATE "C") FROM unnest(${array}) AS element)`;
}

/**
 * The comment on an object. When no user's object has a comment, this is NULL without a subquery, which would run for
 * each line.
 */
export function comment(catalog: string, oid: string, column = '0'): string {
  return `coalesce(NULL${ifAny(
    'pg_description',
    `, (SELECT description FROM pg_description
           WHERE classoid = '${catalog}'::regclass AND objoid = ${oid} AND objsubid = ${column})`,
  )})`;
}
