import { quoteIdentifier, quoteLiteral } from '../../common/sql';
import { firstToken } from '../../common/sql-lexer';
import { Rider } from './rider';

/** invalid_schema_name: also what `regnamespace` answers to the name of a schema that is not there. */
export const SCHEMA_IS_MISSING = '3F000';

/**
 * Whether the tenant's schema is there. PostgreSQL passes over a schema on the path that is not there, so it would look
 * for the tenant's names in the shared schemas behind it, and make new tables there; with none behind it in `pg_temp`,
 * from where they are gone with the session.
 */
export class SchemaCheck {
  readonly #values: readonly string[];
  /** For inside a transaction. Without a name: a session that has forgotten one would fail the whole transaction. */
  readonly rider: Rider;

  /** @param role whose statements it is for, if not the session's. A schema that it may not use PostgreSQL passes over, too */
  constructor(schemaName: string, role?: string) {
    this.#values = [quoteIdentifier(schemaName), ...(role === undefined ? [] : [role])];
    this.rider = new Rider([], () => {
      const { sql, values } = this.parameters(1);
      return [{ name: '', sql: checkSql(sql), values }];
    });
  }

  /** For beside the settings: parameters from `$first` on. A transaction that begins with it knows what others have done. */
  parameters(first: number): { readonly sql: string; readonly values: readonly string[] } {
    return { sql: columnSql(...this.#values.map((_, i) => `$${first + i}`)), values: this.#values };
  }

  /** As a part of a text that is sent inside a transaction. */
  get command(): string {
    return `${checkSql(columnSql(...this.#values.map(quoteLiteral)))};`;
  }
}

/** With a role not whoever the session is by now: code may have taken another one since BEGIN. */
function columnSql(...[name, role]: string[]): string {
  const found = `${name}::pg_catalog.regnamespace`;
  const user = role === undefined ? 'CURRENT_USER' : `${role}::pg_catalog.name`;
  return `CASE WHEN pg_catalog.has_schema_privilege(${user}, ${found}, 'USAGE') THEN ${found}
    ELSE pg_catalog.quote_ident(pg_catalog.concat(${user}, ' may not use it'))::pg_catalog.regnamespace END`;
}

/**
 * A session hears of what others have done to schemas when it locks a table. Without one it answered from what it
 * remembered, though the schema had been renamed since BEGIN.
 */
function checkSql(column: string): string {
  return `SELECT ${column} FROM (SELECT FROM pg_catalog.pg_namespace LIMIT 1) n`;
}

/**
 * What PostgreSQL runs without a snapshot. It may have to come before whatever takes one, as SET TRANSACTION and LOCK
 * do, and reads no rows and makes nothing.
 */
const NEEDS_NO_SNAPSHOT: ReadonlySet<string> = new Set([
  ...['begin', 'start', 'commit', 'end', 'rollback', 'abort', 'savepoint', 'release'],
  ...['set', 'reset', 'show', 'lock', 'fetch', 'move', 'listen', 'unlisten', 'notify', 'checkpoint'],
]);

/** Whether the check must come before a statement: an empty one needs none. */
export function takesSnapshot(text: unknown): boolean {
  if (typeof text !== 'string') return true;
  const first = firstToken(text);
  return first !== undefined && (first.kind !== 'word' || !NEEDS_NO_SNAPSHOT.has(first.value));
}
