/** The key is kept on the process, because two copies of this file must agree. */
const MARK = Symbol.for('nestjs-tenancy:cli');

/** Called by the program `tenancy` before it loads the application. */
export function markTenancyCli(): void {
  Object.assign(globalThis, { [MARK]: true });
}

/**
 * Whether the application was loaded by the program `tenancy`, which runs its hooks and serves nobody: for what must
 * not begin there, such as a timer or a consumer of your own.
 */
export function isTenancyCli(): boolean {
  return MARK in globalThis;
}
