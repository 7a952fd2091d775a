import type { ApiRequest } from './api-request';

const CALLER = Symbol('nestjs-tenancy caller');

type CalledRequest = ApiRequest & { [CALLER]?: string };

export function setCaller(request: ApiRequest, name: string): void {
  (request as CalledRequest)[CALLER] = name;
}

/** The name of the master key that a request was let in with; `''` before the guard has run. */
export function callerOf(request: ApiRequest): string {
  return (request as CalledRequest)[CALLER] ?? '';
}
