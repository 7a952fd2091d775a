import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ArgumentsHost } from '@nestjs/common';
import { graphqlRequestOf, isGraphql } from '../../common/handler-call';
import { TenantRequiredError } from '../../context/context.errors';
import { type RequestFrame, workOf, type TenantContext } from '../../context/tenant-context';

/** Node's request, or Fastify's, which wraps it. */
export type HttpRequest = IncomingMessage | { readonly raw: IncomingMessage };

/** What the middleware found out about a request, for the guard and `@CurrentTenant()`. */
export class RequestState {
  /** Whether what the request asks for is nobody's, not a tenant's. By GraphQL it may ask for several things. */
  isFree?: boolean;

  constructor(
    /** The request's own frame: clearing its tenant takes it from all code that runs for the request. */
    readonly frame: RequestFrame,
    /** Node's own. */
    readonly response: ServerResponse,
    private readonly context: TenantContext,
    /** Why there is no tenant. In a box, since what was thrown may be `undefined`. */
    readonly failure?: { readonly error: unknown },
  ) {}

  /** Whether the current code runs for this request, not for another one. */
  isCurrent(): boolean {
    const frame = this.context.frame();
    return frame !== undefined && workOf(frame) === this.frame;
  }
}

const STATE = Symbol('nestjs-tenancy request state');

interface StateHolder {
  [STATE]?: RequestState;
}

/**
 * Beside the lines of the request's header, an array that Node makes for each request. Express changes the prototype of
 * the request itself, and V8 then makes a hidden class of its own for each property that is added to it: a kilobyte
 * that stays until the next full collection, and all that reads the request is slower.
 */
function holderOf(raw: IncomingMessage): StateHolder {
  const lines: string[] | undefined = raw.rawHeaders;
  return (lines ?? raw) as StateHolder;
}

export function setRequestState(raw: IncomingMessage, state: RequestState): void {
  holderOf(raw)[STATE] = state;
}

/** The state of an Express request or of a Fastify request, which wraps Node's; `undefined`: no middleware ran. */
export function getRequestState(request: HttpRequest): RequestState | undefined {
  const own = holderOf(request as IncomingMessage)[STATE];
  return own ?? ('raw' in request ? holderOf(request.raw)[STATE] : undefined);
}

/**
 * The HTTP request that brought the work, by GraphQL too.
 *
 * @throws TenantRequiredError when a GraphQL context holds none, or another's
 */
export function requestOf<Request extends HttpRequest = HttpRequest>(host: ArgumentsHost): Request {
  if (!isGraphql(host)) return host.getArgByIndex<Request>(0);
  const request = graphqlRequestOf(host) as Request | undefined;
  // One that was made once for all requests holds the first one's, or the last one's: with it one caller would be
  // taken for another.
  if (!request || getRequestState(request)?.isCurrent() === false)
    throw new TenantRequiredError(FOREIGN_CONTEXT);
  return request;
}

const FOREIGN_CONTEXT =
  'The GraphQL context does not hold the HTTP request that this runs for. Leave the option context of GraphQLModule out, or give ' +
  'a function that makes a new object for each request: context: ({ req }) => ({ req }).';
