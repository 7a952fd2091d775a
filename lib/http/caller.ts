import type { ApiRequest } from './api-request';

/** Who sends a request to one of our APIs. */
export interface Caller {
  /** A name for the record, and to tell equal idempotency keys apart. */
  readonly name: string;
  /** What they proved it with. Never kept, nor logged. */
  readonly secret: string;
}

const CALLER = Symbol('nestjs-tenancy caller');

type CalledRequest = ApiRequest & { [CALLER]?: Caller };

const NOBODY: Caller = { name: '', secret: '' };

export function setCaller(request: ApiRequest, caller: Caller): void {
  // Not to be seen by who logs the request.
  Object.defineProperty(request, CALLER, {
    value: caller,
    enumerable: false,
    writable: true,
  });
}

/** Who a request was let in for; nobody before a guard has run. */
export function callerOf(request: ApiRequest): Caller {
  return (request as CalledRequest)[CALLER] ?? NOBODY;
}
