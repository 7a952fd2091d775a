import type { DatabaseError } from 'pg';
import { quoteIdentifier, quoteLiteral } from '../../common/sql';
import { firstToken } from '../../common/sql-lexer';
import { TenantSchemaMissingError } from '../connection.errors';
import { Rider } from './rider';

/** invalid_schema_name: `regnamespace` answers so when the schema does not exist. */
const SCHEMA_IS_MISSING = '3F000';

/**
 * Whether the tenant's schema is there. PostgreSQL passes over a schema on the path that is not, so it would look for the
 * tenant's names in the shared schemas behind it, and make new tables there; with none behind it in `pg_temp`, from
 * where they are gone with the session.
 */
export class SchemaCheck {
  /** The schema's name as a literal, which PostgreSQL looks for as soon as it reads it. */
  readonly #name: string;
  #rider: Rider | undefined;

  /** @param role whose statements it is for, if not the session's */
  constructor(
    schemaName: string,
    private readonly role?: string,
  ) {
    this.#name = `${quoteLiteral(quoteIdentifier(schemaName))}::pg_catalog.regnamespace`;
  }

  /** Whether the role is not the session's own: somebody may have taken the schema from it. */
  get isOfRole(): boolean {
    return this.role !== undefined;
  }

  /**
   * A column of what is sent in front of a single statement. PostgreSQL finds that the schema is missing when it reads it;
   * with a role it has to be run, to ask besides whether that may use the schema. The transaction begins with the message
   * group, so PostgreSQL knows what others have done.
   */
  get look(): string {
    return this.isOfRole ? usableSql(this.#name, this.role) : this.#name;
  }

  /** A statement to be run inside of a transaction. PostgreSQL passes over a schema as well that the role may not use. */
  get command(): string {
    return checkSql(usableSql(this.#name, this.role));
  }

  /** The command in front of a statement inside a transaction. */
  get rider(): Rider {
    return (this.#rider ??= new Rider([this.command]));
  }

  /** An error that names the schema, when `error` is that of a failed check; `undefined` for any other. */
  explain(error: DatabaseError): TenantSchemaMissingError | undefined {
    return error.code === SCHEMA_IS_MISSING ? new TenantSchemaMissingError({ cause: error }) : undefined;
  }
}

/**
 * With a role it asks for that role and not for the session's current one, because code may have changed it since
 * BEGIN.
 */
function usableSql(name: string, role: string | undefined): string {
  const user = role === undefined ? 'CURRENT_USER' : `${quoteLiteral(role)}::pg_catalog.name`;
  return `CASE WHEN pg_catalog.has_schema_privilege(${user}, ${name}, 'USAGE') THEN ${name}
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

/** Whether the check must come before a statement. An empty statement needs no check. */
export function takesSnapshot(text: unknown): boolean {
  if (typeof text !== 'string') return true;
  const first = firstToken(text);
  return first !== undefined && (first.kind !== 'word' || !NEEDS_NO_SNAPSHOT.has(first.value));
}
