/** Token of the clock that look-ups and the change feed use. Default: Node's own. */
export const CLOCK = Symbol('CLOCK');

/** Where time comes from, so that a test need not wait for it. */
export interface Clock {
  /** Milliseconds from any origin; never goes back. */
  now(): number;
  /** Runs `work` once, after at least `ms`. Returns a function that cancels it. */
  after(ms: number, work: () => void): () => void;
}

/** Its timers keep the process alive, because a caller waits for their work. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, work) => {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  },
};

/** Its timers let the process end: for what is done beside the application's work. */
export const backgroundClock: Clock = {
  now: () => performance.now(),
  after: (ms, work) => {
    const timer = setTimeout(work, ms).unref();
    return () => clearTimeout(timer);
  },
};
