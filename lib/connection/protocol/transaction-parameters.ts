import type { DatabaseError } from 'pg';
import { quoteIdentifier, quoteLiteral } from '../../common/sql';
import type { ContextFrame } from '../../context/tenant-context';
import { roleOfSchema } from '../../registry/tenant-role';
import { TenantSchemaMissingError } from '../connection.errors';
import { type Answered, Rider } from './rider';

/**
 * Transaction-local parameters that make a statement run for somebody. They travel in front of it, in the same message
 * group, and PostgreSQL forgets them with the transaction.
 */
export class TransactionParameters {
  /** `SET LOCAL …`: unlike a SELECT it takes no snapshot, so BEGIN may precede it, and PostgreSQL does not plan it. */
  readonly commands: readonly string[];
  #setRider: Rider | undefined;
  #selectRider: Rider | undefined;
  readonly #behind = new Map<Rider, Rider>();

  constructor(
    /** What they are, by name. */
    readonly values: Readonly<Record<string, string>>,
    /** Whether the session is emptied before it works with them. */
    readonly needEmptySession = true,
    /** What comes before the first statement of a transaction, if the tenant's schema has to be there. */
    readonly schemaCheck?: SchemaCheck,
  ) {
    this.commands = Object.entries(values).map(
      ([name, value]) => `SET LOCAL ${name} = ${parameterValueSql(name, value)}`,
    );
  }

  /**
   * In front of a statement. PostgreSQL looks for the schema before it could miss a role: a purge takes both.
   *
   * @param inBlock whether PostgreSQL takes a message group for a transaction block. If not, it would warn of each SET
   *   LOCAL: then it is one SELECT, which has to be planned, and so it is with roles, whose right to the schema is asked for
   * @param first what goes ahead: one of a few that are always the same, so that each pair is put together once
   */
  rider(inBlock: boolean, first?: Rider): Rider {
    const own = this.areSet(inBlock)
      ? (this.#setRider ??= this.#riderOfSets())
      : (this.#selectRider ??= this.#riderOfSelect());
    if (!first) return own;
    let both = this.#behind.get(first);
    if (!both) this.#behind.set(first, (both = first.before(own)));
    return both;
  }

  /** Whether it begins with SET LOCAL, of which PostgreSQL would warn as the first in a group. */
  areSet(inBlock: boolean): boolean {
    return inBlock && !this.schemaCheck?.isOfRole;
  }

  #riderOfSets(): Rider {
    const answers = Array<Answered>(this.commands.length).fill('parameter');
    return Rider.of(this.commands, answers, this.schemaCheck?.schemaName);
  }

  #riderOfSelect(): Rider {
    const columns = Object.entries(this.values).map(
      ([name, value]) => `pg_catalog.set_config(${quoteLiteral(name)}, ${quoteLiteral(value)}, true)`,
    );
    if (this.schemaCheck) columns.push(this.schemaCheck.look);
    return Rider.of([`SELECT ${columns.join(', ')}`], ['parameter']);
  }
}

/** SET takes a list for search_path, and would read a quoted literal as one schema's name; but `''` is the empty list. */
function parameterValueSql(name: string, value: string): string {
  return name === 'search_path' && value !== '' ? value : quoteLiteral(value);
}

/** The system sees PostgreSQL's own catalog and nothing else, whatever somebody left in the session. */
const SYSTEM_PATH = 'pg_catalog, pg_temp';
const SYSTEM_PARAMETERS = new TransactionParameters({ search_path: SYSTEM_PATH });

/** As whoever logged in, whatever role somebody left in the session. */
const NO_ROLE = 'none';
const SYSTEM_PARAMETERS_OF_LOGIN = new TransactionParameters({ search_path: SYSTEM_PATH, role: NO_ROLE });

/** While TypeORM starts it must find that there is no current schema. What its sessions are like is looked at then. */
const STARTING_PARAMETERS = new TransactionParameters({ search_path: '' }, false);

/**
 * The parameters of a frame.
 *
 * `pg_temp` is named last: unnamed it would be searched first, and a temporary table left in the session by one tenant
 * would hide another tenant's table of that name.
 *
 * With `roles` a tenant's statements run as its own role, and everybody else's as whoever logged in.
 *
 * The schema has to be there for what runs for a tenant, but for what makes it, as work on a schema by name may.
 *
 * @param others that ride beside the path
 */
export function parametersOf(
  frame: ContextFrame,
  sharedSchemas: readonly string[],
  roles = false,
  others: Readonly<Record<string, string>> = {},
): TransactionParameters {
  const schemaName = frame.tenant?.schemaName ?? frame.schemaName;
  if (schemaName === undefined) {
    if (frame.starting) return STARTING_PARAMETERS;
    return roles ? SYSTEM_PARAMETERS_OF_LOGIN : SYSTEM_PARAMETERS;
  }
  const path = [schemaName, ...sharedSchemas].map(quoteIdentifier).join(', ');
  const tenantRole = roles && frame.tenant ? roleOfSchema(schemaName) : undefined;
  const values = {
    search_path: `${path}, pg_temp`,
    ...(roles && { role: tenantRole ?? NO_ROLE }),
    ...others,
  };
  const isChecked = frame.tenant !== undefined && !frame.unborn;
  return new TransactionParameters(
    values,
    true,
    isChecked ? new SchemaCheck(schemaName, tenantRole) : undefined,
  );
}

/** invalid_schema_name: `regnamespace` answers so when the schema does not exist. */
const SCHEMA_IS_MISSING = '3F000';

/**
 * Whether the tenant's schema is there. PostgreSQL passes over a schema on the path that is not, so it would look for the
 * tenant's names in the shared schemas behind it, and make new tables there; with none behind it in `pg_temp`, from
 * where they are gone with the session.
 */
export class SchemaCheck {
  /** As a value of the type regnamespace. */
  readonly schemaName: string;
  /** The same as a literal, which PostgreSQL looks for as soon as it reads it. */
  readonly #name: string;
  #rider: Rider | undefined;

  /** @param role whose statements it is for, if not the session's */
  constructor(
    schemaName: string,
    private readonly role?: string,
  ) {
    this.schemaName = quoteIdentifier(schemaName);
    this.#name = `${quoteLiteral(this.schemaName)}::pg_catalog.regnamespace`;
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
    return (this.#rider ??= Rider.of([this.command], ['check']));
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
