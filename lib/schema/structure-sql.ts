/** SQL for what lines of the structure are put together from. */
import { ROW_CATALOGS, type RowCatalog, toldColumns } from './catalog-columns';

/** JSON of what a row of a catalog tells by itself. */
export function rowOf(alias: string, catalog: RowCatalog): string {
  return `(SELECT jsonb_object_agg(key, value) FROM jsonb_each(to_jsonb(${alias})) WHERE key = ANY (${told(catalog)}))`;
}

function told(catalog: RowCatalog): string {
  return `'{${toldColumns(catalog).join(',')}}'::text[]`;
}

/**
 * The same lines with properties that only hashing can use: plain text in the place of JSON, which takes PostgreSQL a
 * third of the time. `columnsOf` are all columns of a catalog on this server.
 */
export function withoutJson(lines: string, columnsOf: (catalog: string) => readonly string[]): string {
  const bare = ROW_CATALOGS.reduce((sql, catalog) => {
    const columns = toldColumns(catalog).filter((column) => columnsOf(catalog).includes(column));
    const pattern = new RegExp(escape(rowOf('ALIAS', catalog)).replace('ALIAS', String.raw`(\w+)`), 'g');
    return sql.replaceAll(
      pattern,
      (_whole, alias: string) => `ROW(${columns.map((column) => `${alias}.${column}`).join(', ')})::text`,
    );
  }, lines);
  return bare.replaceAll('jsonb_build_object(', 'ROW(');
}

function escape(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

export function sorted(array: string): string {
  return `(SELECT array_agg(element ORDER BY element COLLATE "C") FROM unnest(${array}) AS element)`;
}

export function comment(catalog: string, oid: string, column = '0'): string {
  return `(SELECT description FROM pg_description
           WHERE classoid = '${catalog}'::regclass AND objoid = ${oid} AND objsubid = ${column})`;
}
