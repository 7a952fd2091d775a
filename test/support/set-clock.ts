/** Sets the clock of this process, as of a machine whose time is wrong: it stands there, while all timers go on. */
export function setClock(aheadMs: number): void {
  jest.useFakeTimers({
    now: Date.now() + aheadMs,
    doNotFake: [
      'hrtime',
      'nextTick',
      'performance',
      'queueMicrotask',
      'setImmediate',
      'clearImmediate',
      'setInterval',
      'clearInterval',
      'setTimeout',
      'clearTimeout',
    ],
  });
}

/** Lets the clock be right again. */
export function resetClock(): void {
  jest.useRealTimers();
}
