import { quoteIdentifier, quoteLiteral } from '../common/sql';
import type { Scope } from '../context/scope';

/**
 * Transaction-local settings that make a statement run for somebody. They travel in front of it, in the same message
 * group, and PostgreSQL forgets them with the transaction.
 */
export interface TransactionSettings {
  /** `SELECT set_config($1, $2, true)`, one call a setting: it takes the values below. */
  readonly sql: string;
  readonly values: readonly string[];
  /** The same as `SET LOCAL …; ` commands: unlike a SELECT they take no snapshot, so BEGIN may precede them. */
  readonly commands: string;
  /** How many `commands` there are. */
  readonly count: number;
}

export function transactionSettings(settings: Readonly<Record<string, string>>): TransactionSettings {
  const entries = Object.entries(settings);
  return {
    sql: `SELECT ${entries.map((_, i) => `pg_catalog.set_config($${2 * i + 1}, $${2 * i + 2}, true)`).join(', ')}`,
    values: entries.flat(),
    commands: entries.map(([name, value]) => `SET LOCAL ${name} = ${settingValue(name, value)}; `).join(''),
    count: entries.length,
  };
}

/** SET takes a list for search_path, and would read a quoted literal as one schema's name. */
function settingValue(name: string, value: string): string {
  return name === 'search_path' ? value : quoteLiteral(value);
}

/**
 * The settings of a scope; `undefined` for the system, whose path is the session's own: empty.
 *
 * `pg_temp` is named last: unnamed it would be searched first, and a temporary table left in the session by one tenant
 * would hide another tenant's table of that name.
 */
export function settingsOf(scope: Scope, sharedSchemas: readonly string[]): TransactionSettings | undefined {
  const schemaName = scope.tenant?.schemaName ?? scope.schemaName;
  if (schemaName === undefined) return undefined;
  const path = [schemaName, ...sharedSchemas].map(quoteIdentifier).join(', ');
  return transactionSettings({ search_path: `${path}, pg_temp` });
}
