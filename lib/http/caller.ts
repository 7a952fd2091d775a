import type { ApiRequest } from './api-request';

/** Who sends a request to one of our APIs. */
export interface Caller {
  /** A name for the audit, and to keep the idempotency keys of different callers apart. */
  readonly name: string;
  /** The credential that was sent. It is never stored or logged. */
  readonly secret: string;
}

const CALLER = Symbol('nestjs-tenancy caller');

type CalledRequest = ApiRequest & { [CALLER]?: Caller };

const NOBODY: Caller = { name: '', secret: '' };

export function setCaller(request: ApiRequest, caller: Caller): void {
  // Not enumerable, so that a log of the request does not show it.
  Object.defineProperty(request, CALLER, {
    value: caller,
    enumerable: false,
    writable: true,
  });
}

/** The caller whom a guard admitted. Before a guard has run, it has no name. */
export function callerOf(request: ApiRequest): Caller {
  return (request as CalledRequest)[CALLER] ?? NOBODY;
}
