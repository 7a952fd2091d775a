import type { AdminRequest } from './admin-request';

const CALLER = Symbol('nestjs-tenancy admin caller');

type CalledRequest = AdminRequest & { [CALLER]?: string };

export function setCaller(request: AdminRequest, name: string): void {
  (request as CalledRequest)[CALLER] = name;
}

/** The name of the master key that a request was let in with; `''` before the guard has run. */
export function callerOf(request: AdminRequest): string {
  return (request as CalledRequest)[CALLER] ?? '';
}
