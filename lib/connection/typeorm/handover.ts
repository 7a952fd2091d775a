/** Hands values from several to one, who is waited for: what is not taken yet is all that is kept. */
export class Handover<T> {
  readonly #given: { readonly value: T; readonly taken: () => void }[] = [];
  #isOver = false;
  #wake = (): void => undefined;

  /** Resolves when the value has been taken, or will not be. */
  give(value: T): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    return new Promise((taken) => {
      this.#given.push({ value, taken });
      this.#wake();
    });
  }

  /** `undefined` when all that was given has been taken, and nothing more will be. */
  async take(): Promise<T | undefined> {
    for (;;) {
      const first = this.#given.shift();
      if (first) {
        first.taken();
        return first.value;
      }
      if (this.#isOver) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Nothing more will be given, or nobody takes any more. */
  end(): void {
    this.#isOver = true;
    for (const { taken } of this.#given) taken();
    this.#wake();
  }
}
