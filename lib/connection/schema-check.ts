import { quoteIdentifier, quoteLiteral } from '../common/sql';
import { firstToken } from '../common/sql-lexer';
import { Rider } from './rider';

/** invalid_schema_name: also what `regnamespace` answers to the name of a schema that is not there. */
export const SCHEMA_IS_MISSING = '3F000';

/**
 * Whether the tenant's schema is there. PostgreSQL passes over a schema on the path that is not there, so it would look
 * for the tenant's names in the shared schemas behind it, and make new tables there.
 */
export class SchemaCheck {
  readonly #name: string;
  /** For inside a transaction. Without a name: a session that has forgotten one would fail the whole transaction. */
  readonly rider: Rider;

  constructor(schemaName: string) {
    this.#name = quoteIdentifier(schemaName);
    this.rider = new Rider([], () => [{ name: '', sql: checkSql('$1'), values: [this.#name] }]);
  }

  /** For beside the settings: a parameter, and its value. A transaction that begins with it knows what others have done. */
  parameter(number: number): { readonly sql: string; readonly value: string } {
    return { sql: `$${number}::pg_catalog.regnamespace`, value: this.#name };
  }

  /** As a part of a text that is sent inside a transaction. */
  get command(): string {
    return `${checkSql(quoteLiteral(this.#name))};`;
  }
}

/**
 * A session hears of what others have done to schemas when it locks a table. Without one it answered from what it
 * remembered, though the schema had been renamed since BEGIN.
 */
function checkSql(name: string): string {
  return `SELECT ${name}::pg_catalog.regnamespace FROM (SELECT FROM pg_catalog.pg_namespace LIMIT 1) n`;
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
