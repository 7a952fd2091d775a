import type { DatabaseError } from 'pg';
import { quoteIdentifier, quoteLiteral } from '../../common/sql';
import { firstToken } from '../../common/sql-lexer';
import { TenantSchemaMissingError } from '../connection.errors';
import { Rider } from './rider';

/** invalid_schema_name: `regnamespace` answers so when the schema does not exist. */
const SCHEMA_IS_MISSING = '3F000';

/** invalid_argument_for_logarithm: raised by nothing else that we send. */
const SCHEMA_IS_NOT_CURRENT = '2201E';

const CHECK_RAISES: ReadonlySet<string> = new Set([SCHEMA_IS_MISSING, SCHEMA_IS_NOT_CURRENT]);

/**
 * Whether the tenant's schema is there, and may be used. PostgreSQL passes over a schema on the path that is not, so it
 * would look for the tenant's names in the shared schemas behind it, and make new tables there; with none behind it in
 * `pg_temp`, from where they are gone with the session.
 */
export class SchemaCheck {
  /** What a check inside a transaction asks for. */
  readonly #values: readonly string[];
  /**
   * Used inside a transaction. It has no name, because a session that has lost a named statement would fail the
   * transaction.
   */
  readonly rider: Rider;

  /** @param role whose statements it is for, if not the session's. A schema that it may not use PostgreSQL passes over, too */
  constructor(
    private readonly schemaName: string,
    private readonly role?: string,
  ) {
    this.#values = [quoteIdentifier(schemaName), ...(role === undefined ? [] : [role])];
    this.rider = new Rider([], () => [
      {
        name: '',
        sql: checkSql(columnSql(...this.#values.map((_, i) => `$${i + 1}`))),
        values: this.#values,
      },
    ]);
  }

  /**
   * The check as a column behind the parameters, with values from `$first` on. The first schema of the path that there
   * is and that may be used is the current one. PostgreSQL looks for it anyway, and a transaction that begins so knows
   * what others have done. With a role the name comes once more: a purge takes both, and PostgreSQL would miss the role
   * first.
   */
  behindParameters(first: number): { readonly sql: string; readonly values: readonly string[] } {
    const isCurrent = `pg_catalog.current_schema() OPERATOR(pg_catalog.=) $${first}::pg_catalog.name`;
    if (this.role === undefined) return { sql: raisesUnless(isCurrent), values: [this.schemaName] };
    const isThere = `$${first + 1}::pg_catalog.regnamespace IS NOT NULL`;
    return {
      sql: raisesUnless(`${isCurrent} AND ${isThere}`),
      values: [this.schemaName, quoteIdentifier(this.schemaName)],
    };
  }

  /** An error that names the schema, when `error` is that of a failed check; `undefined` for any other. */
  explain(error: DatabaseError): TenantSchemaMissingError | undefined {
    if (!CHECK_RAISES.has(error.code ?? '')) return undefined;
    const cause =
      error.code === SCHEMA_IS_MISSING
        ? error
        : new Error(`schema "${this.schemaName}" is not there, or may not be used`, { cause: error });
    return new TenantSchemaMissingError({ cause });
  }

  /** As a part of a text that is sent inside a transaction. */
  get command(): string {
    return `${checkSql(columnSql(...this.#values.map(quoteLiteral)))};`;
  }
}

function raisesUnless(condition: string): string {
  return `pg_catalog.ln(CASE WHEN ${condition} THEN '1'::pg_catalog.float8 ELSE '0'::pg_catalog.float8 END)`;
}

/**
 * With a role it asks for that role and not for the session's current one, because code may have changed it since
 * BEGIN.
 */
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

/** Whether the check must come before a statement. An empty statement needs no check. */
export function takesSnapshot(text: unknown): boolean {
  if (typeof text !== 'string') return true;
  const first = firstToken(text);
  return first !== undefined && (first.kind !== 'word' || !NEEDS_NO_SNAPSHOT.has(first.value));
}
