import type { ParameterStatus } from './pg-internals';

/** Changes when a standby is promoted, whatever the session does. */
const NOT_THE_SESSIONS_OWN = 'in_hot_standby';

/** Change with what a tenant's transaction sets for itself, and back with its end: PostgreSQL 18 tells of the path, too. */
const RIDING: ReadonlySet<string> = new Set(['search_path', 'is_superuser']);

/**
 * The parameters that PostgreSQL tells its clients, when a session begins and whenever one has changed: `TimeZone`,
 * `DateStyle`, `client_encoding`, `default_transaction_read_only` and others.
 */
export class ReportedParameters {
  readonly #values = new Map<string, string>();
  #initial: ReadonlyMap<string, string> | undefined;

  note({ parameterName, parameterValue }: ParameterStatus): void {
    this.#values.set(parameterName, parameterValue);
  }

  /** Whether PostgreSQL tells of it. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The session begins to work for tenants: what it was given before, also by a listener for `connect`, is its own. */
  begin(): void {
    this.#initial ??= new Map(this.#values);
  }

  /** Whether one of them is not what the session began with. `inTransaction`: but for those that ride with a tenant. */
  areChanged(inTransaction = false): boolean {
    const initial = this.#initial;
    if (!initial) return false;
    for (const [name, value] of this.#values) {
      if (name === NOT_THE_SESSIONS_OWN || (inTransaction && RIDING.has(name))) continue;
      if (initial.get(name) !== value) return true;
    }
    return false;
  }
}
