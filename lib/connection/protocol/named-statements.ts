import type { WireConnection } from './pg-internals';

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
    this.#texts.clear();
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
