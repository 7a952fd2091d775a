import type { ParameterStatus } from './pg-internals';

/** Changes when a standby is promoted, whatever the session does. */
const NOT_THE_SESSIONS_OWN = 'in_hot_standby';

/**
 * The settings that PostgreSQL tells its clients, when a session begins and whenever one has changed: `TimeZone`,
 * `DateStyle`, `client_encoding`, `default_transaction_read_only` and others.
 */
export class ReportedSettings {
  readonly #values = new Map<string, string>();
  #initial: ReadonlyMap<string, string> | undefined;

  note({ parameterName, parameterValue }: ParameterStatus): void {
    this.#values.set(parameterName, parameterValue);
  }

  /** The session begins to work for tenants: what it was given before, also by a listener for `connect`, is its own. */
  begin(): void {
    this.#initial ??= new Map(this.#values);
  }

  /** Whether one of them is not what the session began with. */
  get areChanged(): boolean {
    const initial = this.#initial;
    if (!initial) return false;
    for (const [name, value] of this.#values)
      if (name !== NOT_THE_SESSIONS_OWN && initial.get(name) !== value) return true;
    return false;
  }
}
