import { quoteIdentifier, quoteLiteral } from '../common/sql';
import type { Scope } from '../context/scope';
import { roleOfSchema } from '../tenant/tenant-role';
import { bindAndExecuteMessage, parseMessage } from './rider-message';
import { isEmptyPath } from './session-path';

/**
 * Transaction-local settings that make a statement run for somebody. They travel in front of it, in the same message
 * group, and PostgreSQL forgets them with the transaction.
 */
export interface TransactionSettings {
  /** As messages of the extended protocol. */
  readonly rider: Rider;
  /** The same as `SET LOCAL …; ` commands: unlike a SELECT they take no snapshot, so BEGIN may precede them. */
  readonly commands: string;
  /** How many `commands` there are. */
  readonly count: number;
  /** What they are, by name. */
  readonly values: Readonly<Record<string, string>>;
}

/** `SELECT set_config($1, $2, true), …` in the extended protocol, up to its Execute. */
export interface Rider {
  /** Parse, Bind and Execute of a statement that is forgotten with the next. */
  readonly unnamed: Buffer;
  /** Parse of one that the session remembers; the same for all tenants. */
  readonly parse: Buffer;
  /** Bind and Execute of that one. */
  readonly execute: Buffer;
}

const SESSION_PATH = "pg_catalog.current_setting('search_path')";
const TEMPORARY_SCHEMA = 'pg_catalog.pg_my_temp_schema()';

/**
 * Whether the row that answers a rider tells of a session without a path and without temporary tables: functions may
 * have left either, where no statement's text shows it.
 */
export function isCleanSession([path, temporarySchema]: readonly unknown[]): boolean {
  return isEmptyPath(path) && temporarySchema === '0';
}

export function transactionSettings(settings: Readonly<Record<string, string>>): TransactionSettings {
  const entries = Object.entries(settings);
  return {
    rider: makeRider(entries),
    commands: entries.map(([name, value]) => `SET LOCAL ${name} = ${settingValue(name, value)};`).join(' '),
    count: entries.length,
    values: settings,
  };
}

/** PostgreSQL computes columns from left to right, so the first two tell of the session as it was before. */
function makeRider(entries: readonly (readonly [name: string, value: string])[]): Rider {
  const calls = entries.map((_, i) => `pg_catalog.set_config($${2 * i + 1}, $${2 * i + 2}, true)`);
  const sql = `SELECT ${[SESSION_PATH, TEMPORARY_SCHEMA, ...calls].join(', ')}`;
  // The text depends on nothing but the number of settings, and so may the name.
  const name = `nestjs-tenancy-${entries.length}`;
  return {
    unnamed: Buffer.concat([parseMessage('', sql), bindAndExecuteMessage('', entries.flat())]),
    parse: parseMessage(name, sql),
    execute: bindAndExecuteMessage(name, entries.flat()),
  };
}

/** SET takes a list for search_path, and would read a quoted literal as one schema's name; but `''` is the empty list. */
function settingValue(name: string, value: string): string {
  return name === 'search_path' && value !== '' ? value : quoteLiteral(value);
}

/** The system sees PostgreSQL's own catalog and nothing else, whatever somebody left in the session. */
const SYSTEM_PATH = 'pg_catalog, pg_temp';
const SYSTEM_SETTINGS = transactionSettings({ search_path: SYSTEM_PATH });

/** As whoever logged in, whatever role somebody left in the session. */
const NO_ROLE = 'none';
const SYSTEM_SETTINGS_OF_LOGIN = transactionSettings({ search_path: SYSTEM_PATH, role: NO_ROLE });

/** While TypeORM starts, on connections that nobody has used, it must find that there is no current schema. */
const STARTING_SETTINGS = transactionSettings({ search_path: '' });

/**
 * The settings of a scope.
 *
 * `pg_temp` is named last: unnamed it would be searched first, and a temporary table left in the session by one tenant
 * would hide another tenant's table of that name.
 *
 * With `roles` a tenant's statements run as its own role, and everybody else's as whoever logged in.
 *
 * @param others that ride beside the path
 */
export function settingsOf(
  scope: Scope,
  sharedSchemas: readonly string[],
  roles = false,
  others: Readonly<Record<string, string>> = {},
): TransactionSettings {
  const schemaName = scope.tenant?.schemaName ?? scope.schemaName;
  if (schemaName === undefined) {
    if (scope.starting) return STARTING_SETTINGS;
    return roles ? SYSTEM_SETTINGS_OF_LOGIN : SYSTEM_SETTINGS;
  }
  const path = [schemaName, ...sharedSchemas].map(quoteIdentifier).join(', ');
  return transactionSettings({
    search_path: `${path}, pg_temp`,
    ...(roles && { role: scope.tenant ? roleOfSchema(schemaName) : NO_ROLE }),
    ...others,
  });
}
