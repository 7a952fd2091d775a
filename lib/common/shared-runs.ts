/**
 * Work of which one run at a time is under way. That run may have looked already at what a caller asks about, so callers who
 * come meanwhile share the next.
 */
export class SharedRuns<Result> {
  #running: Promise<Result> | undefined;
  #next: Promise<Result> | undefined;

  constructor(private readonly work: () => Promise<Result>) {}

  /** The result of a run that begins after the call. */
  next(): Promise<Result> {
    return (this.#next ??= this.#after(this.#running));
  }

  /** Resolves, or rejects, with the last run that anybody has asked for. */
  async ended(): Promise<void> {
    await (this.#next ?? this.#running);
  }

  async #after(running: Promise<Result> | undefined): Promise<Result> {
    await running?.catch(() => undefined);
    this.#running = this.work();
    this.#next = undefined;
    return this.#running;
  }
}
