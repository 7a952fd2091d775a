import type { IncomingMessage } from 'node:http';
import type { RequestScope } from '../context/scope';

/** What the middleware found out about a request, for the guard and `@CurrentTenant()`. */
export interface RequestState {
  /** The request's own scope: clearing its tenant takes it from all code that runs for the request. */
  readonly scope: RequestScope;
  /** Why there is no tenant. In a box, since what was thrown may be `undefined`. */
  readonly failure?: { readonly error: unknown };
}

const STATE = Symbol('nestjs-tenancy request state');

type StatefulRequest = IncomingMessage & { [STATE]?: RequestState };

export function setRequestState(raw: IncomingMessage, state: RequestState): void {
  (raw as StatefulRequest)[STATE] = state;
}

/** The state of an Express request or of a Fastify request, which wraps Node's; `undefined`: no middleware ran. */
export function getRequestState(
  request: IncomingMessage | { readonly raw: IncomingMessage },
): RequestState | undefined {
  const own = (request as StatefulRequest)[STATE];
  return own ?? ('raw' in request ? (request.raw as StatefulRequest)[STATE] : undefined);
}
