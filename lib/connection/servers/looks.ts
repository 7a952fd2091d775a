/** How long what was found wanting is left alone, in milliseconds: requests that want it are refused meanwhile. */
const PAUSE_MS = 1_000;

/** Who hears what looks find. */
export interface LookEvents {
  /** Once for each reason: every request asks. */
  failed(key: string, refusal: Error): void;
  /** After a failure that was told of. */
  recovered(key: string): void;
}

/** What was found out about servers and replicas: each is looked at before its first use, and again when it was lost. */
export class Looks<Found> {
  readonly #found = new Map<string, Found>();
  /** What was known of those that were lost. */
  readonly #before = new Map<string, Found>();
  readonly #looking = new Map<string, Promise<Found>>();
  readonly #told = new Map<string, string>();

  constructor(private readonly events: LookEvents) {}

  find(key: string): Found | undefined {
    return this.#found.get(key);
  }

  /**
   * What `look` finds, or has found. Many may ask at the same time; one looks.
   *
   * @param look is given what was found before it was lost
   */
  check(key: string, look: (before: Found | undefined) => Promise<Found>): Promise<Found> {
    const known = this.#found.get(key);
    if (known) return Promise.resolve(known);
    let looking = this.#looking.get(key);
    if (!looking) {
      looking = this.#look(key, look);
      this.#looking.set(key, looking);
      looking.then(
        () => this.#looking.delete(key),
        () => setTimeout(() => this.#looking.delete(key), PAUSE_MS).unref(),
      );
    }
    return looking;
  }

  /** Has it looked at again before it is used. `refusal` is what callers got, if somebody did. */
  lost(key: string, refusal?: Error): void {
    const known = this.#found.get(key);
    if (!known) return;
    this.#found.delete(key);
    this.#before.set(key, known);
    if (refusal) this.tell(key, refusal);
  }

  tell(key: string, refusal: Error): void {
    const { message, cause } = refusal;
    const isTold = !(cause instanceof Error) || message.includes(cause.message);
    const why = isTold ? message : `${message} ${cause.message}`;
    if (this.#told.get(key) === why) return;
    this.#told.set(key, why);
    this.events.failed(key, new Error(why));
  }

  async #look(key: string, look: (before: Found | undefined) => Promise<Found>): Promise<Found> {
    try {
      const found = await look(this.#before.get(key));
      this.#found.set(key, found);
      this.#before.delete(key);
      if (this.#told.delete(key)) this.events.recovered(key);
      return found;
    } catch (error) {
      this.tell(key, error as Error);
      throw error;
    }
  }
}
