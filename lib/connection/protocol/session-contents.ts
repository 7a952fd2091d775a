import type { ParameterStatus, WireConnection } from './pg-internals';
import { type Answered, Rider } from './rider';

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
  /** Names of those that are not what they were initially. */
  readonly #changed = new Set<string>();
  #isPromoted = false;

  /** Whether its server was a standby when the session began, and is none any more. PostgreSQL says so with its next answer. */
  get isPromoted(): boolean {
    return this.#isPromoted;
  }

  note({ parameterName, parameterValue }: ParameterStatus): void {
    if (parameterName === NOT_THE_SESSIONS_OWN && this.#values.get(parameterName) === 'on')
      this.#isPromoted = parameterValue === 'off';
    this.#values.set(parameterName, parameterValue);
    if (!this.#initial || parameterName === NOT_THE_SESSIONS_OWN) return;
    if (this.#initial.get(parameterName) === parameterValue) this.#changed.delete(parameterName);
    else this.#changed.add(parameterName);
  }

  /** `undefined`: PostgreSQL does not tell of it. */
  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  /** The session begins to work for tenants: what it was given before, also by a listener for `connect`, is its own. */
  begin(): void {
    this.#initial ??= new Map(this.#values);
  }

  /** Whether one of them is not what the session began with. `inTransaction`: but for those that ride with a tenant. */
  areChanged(inTransaction = false): boolean {
    if (!inTransaction) return this.#changed.size > 0;
    for (const name of this.#changed) if (!RIDING.has(name)) return true;
    return false;
  }
}

/** A query that may have a name, and then may lack a text. */
interface Nameable {
  readonly text?: unknown;
  readonly name?: string;
}

/**
 * The application's named statements in one session. They are kept for whoever has sent them: of another tenant's, a
 * function may have put something else in the place.
 */
export class NamedStatements {
  /** The holder's, by name. The application may ask for a statement by its name alone. */
  readonly #texts = new Map<string, string>();
  #areUsed = false;
  /** The key of the frame that the session is lent for. */
  #holder: string | undefined;
  /** Whether the session may hold some that are not the holder's. */
  #areOthers = false;
  /** Whether code of this package has prepared some, for as long as it has the session. */
  #areOurs = false;
  #isDropping = false;

  constructor(private readonly connection: WireConnection) {}

  /** Whether the application has sent statements by name. */
  get areUsed(): boolean {
    return this.#areUsed;
  }

  lend(holder: string | undefined): void {
    if (holder === this.#holder) return;
    this.#holder = holder;
    this.#areOthers = true;
    if (this.#texts.size > 0) this.#texts.clear();
    this.#forget();
  }

  textOf({ text, name }: Nameable): unknown {
    if (name === undefined || name === '') return text;
    if (typeof text !== 'string' || text === '') return this.#texts.get(name) ?? text;
    this.#texts.set(name, text);
    this.#areUsed = true;
    return text;
  }

  /** Code of this package has prepared one. Whoever has the session next drops it. */
  noteOurs(): void {
    this.#areOurs = true;
  }

  /** Whether the session is to drop all that it holds. The next statement of each name is parsed. */
  drop(): boolean {
    this.#isDropping = this.#areOthers && (this.areUsed || this.#areOurs);
    if (this.#isDropping) this.#forget();
    return this.#isDropping;
  }

  /** The session has been emptied, and has dropped them if it was told to. */
  noteEmptied(): void {
    if (this.#isDropping) this.#areOthers = this.#areOurs = this.#isDropping = false;
  }

  /** What pg believes the session to hold: it would run it by its name. */
  #forget(): void {
    const { parsedStatements, submittedNamedStatements = {} } = this.connection;
    for (const names of [parsedStatements, submittedNamedStatements])
      for (const name of Object.keys(names)) delete names[name];
  }
}

/** What a session may hold beside cursors and temporary objects, as far as its client knows. */
interface Holdings {
  /** Named statements, which code of another tenant's may have replaced. */
  readonly statements: boolean;
  /** A path: PostgreSQL before 18 does not tell its clients of it. */
  readonly path: boolean;
}

/**
 * Commands that empty a session of what is left there where no statement's text shows it, because a function did it. They
 * are not planned, so they cost little; and they have no name, so nothing that is left in the session can stand in for
 * them.
 */
export class Emptying {
  /** In front of a statement. */
  readonly rider: Rider;
  /** In front of one that may roll back what is ahead of it, and go on: with a transaction of their own. */
  readonly committedRider: Rider;
  /** In front of a text, with a transaction of their own: a BEGIN that follows may choose how it sees the others. */
  readonly text: string;

  constructor(readonly commands: readonly string[]) {
    // Without the BEGIN before COMMIT PostgreSQL would warn.
    const committed = [...commands, 'BEGIN', 'COMMIT'];
    this.rider = Rider.of(commands, answersTo(commands.length));
    this.committedRider = Rider.of(committed, answersTo(committed.length));
    this.text = `${committed.join('; ')};\n`;
  }
}

function answersTo(count: number): readonly Answered[] {
  return [...Array<Answered>(count - 1).fill('emptying'), 'emptied'];
}

const CURSORS_AND_TEMPORARY = ['CLOSE ALL', 'DISCARD TEMP'];
const STATEMENTS = 'DEALLOCATE ALL';
const PATH = "SET search_path = ''";

/**
 * In front of the SET LOCAL of a session that is empty: PostgreSQL takes what comes first in a group of messages for no
 * part of a transaction, and would warn.
 */
export const SOMETHING_FIRST = new Emptying(['RESET search_path']);

const WITH_PATH = new Emptying([...CURSORS_AND_TEMPORARY, PATH]);
const WITH_STATEMENTS = new Emptying([...CURSORS_AND_TEMPORARY, STATEMENTS]);
const WITH_BOTH = new Emptying([...CURSORS_AND_TEMPORARY, STATEMENTS, PATH]);
const WITH_NEITHER = new Emptying(CURSORS_AND_TEMPORARY);

export function emptyingOf({ statements, path }: Holdings): Emptying {
  if (statements) return path ? WITH_BOTH : WITH_STATEMENTS;
  return path ? WITH_PATH : WITH_NEITHER;
}
