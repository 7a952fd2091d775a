import { quoteIdentifier } from '../common/sql';
import { tokensOf } from '../common/sql-lexer';

/** One statement with its parameters, as TypeORM's schema builder returns it. */
export interface Statement {
  readonly query: string;
  readonly parameters?: readonly unknown[];
}

/**
 * The statement without the schema's name, so that it works in the current schema. TypeORM always qualifies enums and
 * indexes, and writes the schema's name into `typeorm_metadata`.
 */
export function unqualified(
  { query, parameters }: Statement,
  schemaName: string,
  database: string,
): Statement {
  const prefix = `${quoteIdentifier(schemaName)}.`;
  const bare = withoutPrefix(query, prefix);
  if (!parameters?.length || !bare.includes('"typeorm_metadata"')) return { query: bare, parameters };
  return whereItRuns(
    { query: bare, parameters },
    new Map([
      [schemaName, 'current_schema()'],
      [database, 'current_database()'],
    ]),
  );
}

/** Strings, dollar quotes and comments stay: they may contain the schema's name with another meaning. */
function withoutPrefix(query: string, prefix: string): string {
  let bare = '';
  let kept = 0;
  for (const { kind, start, end } of tokensOf(query)) {
    if (kind !== 'name' || end !== start + prefix.length - 1 || !query.startsWith(prefix, start)) continue;
    bare += query.slice(kept, start);
    kept = start + prefix.length;
  }
  return bare + query.slice(kept);
}

/** Replaces parameters that name this schema or database by expressions for the current one. */
function whereItRuns({ query, parameters = [] }: Statement, places: ReadonlyMap<unknown, string>): Statement {
  const kept: unknown[] = [];
  const text = query.replaceAll(/\$(\d+)/g, (_whole, number: string) => {
    const value = parameters[Number(number) - 1];
    // Only the columns for places, because a view may have the database's name.
    const place = isPlace(query, Number(number)) ? places.get(value) : undefined;
    return place ?? `$${kept.push(value)}`;
  });
  return { query: text, parameters: kept };
}

const METADATA_COLUMNS = /"typeorm_metadata"\(([^)]*)\) VALUES \(([^)]*)\)/;

/** Whether a parameter is the value of the column "database" or "schema". */
function isPlace(query: string, number: number): boolean {
  const inserted = METADATA_COLUMNS.exec(query);
  if (!inserted) return new RegExp(`"(database|schema)" = \\$${number}\\b`).test(query);
  const [columns, values] = inserted.slice(1).map((list) => list.split(',').map((each) => each.trim()));
  return ['"database"', '"schema"'].includes(columns[values.indexOf(`$${number}`)]);
}
