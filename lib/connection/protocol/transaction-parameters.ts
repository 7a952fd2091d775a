import { quoteIdentifier, quoteLiteral } from '../../common/sql';
import type { ContextFrame } from '../../context/tenant-context';
import { roleOfSchema } from '../../registry/tenant-role';
import { Rider } from './rider';
import { SchemaCheck } from './schema-check';

interface ParameterRider {
  readonly rider: Rider;
  /** Whether it begins with SET LOCAL, of which PostgreSQL would warn as the first in a group. */
  readonly isSet: boolean;
}

/**
 * Transaction-local parameters that make a statement run for somebody. They travel in front of it, in the same message
 * group, and PostgreSQL forgets them with the transaction.
 */
export class TransactionParameters {
  /** `SET LOCAL …`: unlike a SELECT it takes no snapshot, so BEGIN may precede it, and PostgreSQL does not plan it. */
  readonly commands: readonly string[];
  #setRider: ParameterRider | undefined;
  #selectRider: ParameterRider | undefined;

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
   * In front of a statement. PostgreSQL looks for the schema as it reads, before it could miss a role: a purge takes both.
   *
   * @param inBlock whether PostgreSQL takes a message group for a transaction block. If not, it would warn of each SET
   *   LOCAL: then it is one SELECT, which has to be planned, and so it is with roles, whose right to the schema is asked for
   */
  rider(inBlock: boolean): ParameterRider {
    return inBlock && !this.schemaCheck?.isOfRole
      ? (this.#setRider ??= this.#riderOfSets())
      : (this.#selectRider ??= this.#riderOfSelect());
  }

  #riderOfSets(): ParameterRider {
    const looks = this.schemaCheck ? [`SELECT ${this.schemaCheck.look}`] : [];
    return { rider: new Rider(this.commands, looks), isSet: true };
  }

  #riderOfSelect(): ParameterRider {
    const columns = Object.entries(this.values).map(
      ([name, value]) => `pg_catalog.set_config(${quoteLiteral(name)}, ${quoteLiteral(value)}, true)`,
    );
    if (this.schemaCheck) columns.push(this.schemaCheck.look);
    return { rider: new Rider([`SELECT ${columns.join(', ')}`]), isSet: false };
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
