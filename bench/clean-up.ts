type Step = () => unknown;

/** What was started and must be stopped, in whatever way the run ends. */
export class CleanUp {
  readonly #steps: Step[] = [];
  #running: Promise<void> | undefined;

  /** Steps run in reverse order. One added while they run is run, too. */
  add(step: Step): void {
    this.#steps.push(step);
  }

  /** Runs every step once, whatever others throw. Calling it again waits for the same end. */
  run(): Promise<void> {
    return (this.#running ??= this.#runAll());
  }

  async #runAll(): Promise<void> {
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        console.error('While cleaning up:', error);
      }
    }
  }
}
