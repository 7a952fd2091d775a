import { quoteIdentifier, quoteLiteral } from '../../common/sql';
import type { ContextFrame } from '../../context/context-frame';
import { roleOfSchema } from '../../registry/tenant-role';
import { Rider, type RidingStatement } from './rider';
import { SchemaCheck } from './schema-check';
import { CLOSE_CURSORS, type Probe, PROBES } from './session-checks';

/**
 * Transaction-local parameters that make a statement run for somebody. They travel in front of it, in the same message
 * group, and PostgreSQL forgets them with the transaction.
 */
export class TransactionParameters {
  /** As `SET LOCAL …; ` commands: unlike a SELECT they take no snapshot, so BEGIN may precede them. */
  readonly commands: string;
  /** How many `commands` there are. */
  readonly count: number;
  readonly #riders: Partial<Record<Probe | 'unprobed', Rider>> = {};

  constructor(
    /** What they are, by name. */
    readonly values: Readonly<Record<string, string>>,
    /** Whether the session is looked at before it works with them. */
    readonly areProbed = true,
    /** What comes before the first statement of a transaction, if the tenant's schema has to be there. */
    readonly schemaCheck?: SchemaCheck,
  ) {
    const entries = Object.entries(values);
    this.commands = entries
      .map(([name, value]) => `SET LOCAL ${name} = ${parameterValueSql(name, value)};`)
      .join(' ');
    this.count = entries.length;
  }

  /**
   * As one SELECT of a text, with others beside them, and behind the probe if there is one. It takes a snapshot, so only
   * where the isolation level is settled.
   */
  select(others: Readonly<Record<string, string>>, probe?: Probe): string {
    const calls = Object.entries({ ...this.values, ...others }).map(
      ([name, value]) => `pg_catalog.set_config(${quoteLiteral(name)}, ${quoteLiteral(value)}, true)`,
    );
    return `SELECT ${[...(probe ? [PROBES[probe]] : []), ...calls].join(', ')}`;
  }

  /** As `SELECT set_config($1, $2, true), …` of the extended protocol, behind the probe and before the check of the schema. */
  rider(probe?: Probe): Rider {
    return (this.#riders[probe ?? 'unprobed'] ??= this.#makeRider(probe));
  }

  #makeRider(probe: Probe | undefined): Rider {
    const check = this.schemaCheck?.behindParameters(2 * this.count + 1);
    // The text depends on nothing else, and so may the name.
    const name = ['nestjs-tenancy', probe ?? 'unprobed', this.count, check?.values.length ?? 0].join('-');
    const values = [...Object.entries(this.values).flat(), ...(check?.values ?? [])];
    const parameter = () => ({ name, sql: this.#sql(probe, check?.sql), values });
    return probe
      ? new Rider([CURSOR_CLOSER.name, name], () => [CURSOR_CLOSER, parameter()])
      : new Rider([name], () => [parameter()]);
  }

  /** PostgreSQL computes columns from left to right, so the probe tells of the session as it was before. */
  #sql(probe: Probe | undefined, check: string | undefined): string {
    const calls = Array.from(
      { length: this.count },
      (_, i) => `pg_catalog.set_config($${2 * i + 1}, $${2 * i + 2}, true)`,
    );
    return `SELECT ${[...(probe ? [PROBES[probe]] : []), ...calls, ...(check ? [check] : [])].join(', ')}`;
  }
}

const CURSOR_CLOSER: RidingStatement = { name: 'nestjs-tenancy-close', sql: CLOSE_CURSORS, values: [] };

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
