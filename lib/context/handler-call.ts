import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ArgumentsHost, ExecutionContext } from '@nestjs/common';
import { TransportUnknownError } from '../common/tenancy.errors';
import { TenantRequiredError } from './context.errors';
import { type RequestFrame, type TenantContext, workOf } from './tenant-context';

/** How work comes to a handler: GraphQL comes by HTTP, of which its sockets are a part as long as they are kept. */
export type Arrival = 'http' | 'ws' | 'rpc';

/** The part of a GraphQL resolver's last argument that we read. */
interface ResolveInfo {
  readonly fieldName: string;
  readonly operation: { readonly operation: string };
}

/**
 * How the call came for which a guard, an interceptor or a parameter decorator runs. All of ours ask here, so that
 * none of them lets a call of an unknown kind pass.
 *
 * @throws TransportUnknownError for subscriptions of GraphQL over a socket that `TenantSubscriptions` does not keep, and
 * for all that is not HTTP, WebSocket or microservice
 */
export function arrivalOf(context: ExecutionContext): Arrival {
  const type = context.getType<string>();
  if (type === 'http' || type === 'ws' || type === 'rpc') return type;
  if (type !== 'graphql')
    throw new TransportUnknownError(nameOf(context), `something of the kind "${type}"`, OF_NOBODY);
  const operation = resolveInfoOf(context)?.info.operation.operation;
  if (operation === 'query' || operation === 'mutation' || isKept(graphqlRequestOf(context))) return 'http';
  throw new TransportUnknownError(
    nameOf(context),
    `a GraphQL ${operation ?? 'server of an unknown kind'}`,
    BY_HTTP,
  );
}

const OF_NOBODY =
  'Mark the handler with @TenantFree(), and with @Public() of nestjs-tenancy/access if that is there; in it give the work its ' +
  'tenant with TenantContext.run(tenant, work).';
const BY_HTTP =
  'Import TenancyGraphqlModule of nestjs-tenancy/graphql and give its TenantSubscriptions to GraphQLModule, or ask for the same by ' +
  'a query or a mutation over HTTP.';

function isKept(request: object | undefined): boolean {
  return request !== undefined && getRequestState(request as HttpRequest)?.frame.lasting === true;
}

/** Transports that `arrivalOf` refuses, unless the handler is marked as needing no tenant. */
export function isUnknownKind(context: ExecutionContext): boolean {
  return !['http', 'ws', 'rpc', 'graphql'].includes(context.getType<string>());
}

export function isGraphql(host: ArgumentsHost): boolean {
  return host.getType<string>() === 'graphql';
}

/**
 * The platform's request that a GraphQL operation came with. Mercurius says it in `reply`, which it sets anew for each
 * request; `req` of a context object that somebody shares between requests may be an earlier one's.
 */
export function graphqlRequestOf(host: ArgumentsHost): object | undefined {
  return requestOfGraphql(resolveInfoOf(host)?.context);
}

/** The same of the context that resolvers are given. */
export function requestOfGraphql(context: unknown): object | undefined {
  const { reply, req } = (context ?? {}) as {
    readonly reply?: { readonly request?: unknown };
    readonly req?: unknown;
  };
  const request = reply?.request ?? req;
  return typeof request === 'object' && request !== null ? request : undefined;
}

/**
 * Resolvers of fields, of references and of types have different arguments, but the context is always before the info.
 */
function resolveInfoOf(host: ArgumentsHost): { context: unknown; info: ResolveInfo } | undefined {
  const args: unknown[] = host.getArgs();
  const index = args.findLastIndex(isResolveInfo);
  return index > 0 ? { context: args[index - 1], info: args[index] as ResolveInfo } : undefined;
}

function isResolveInfo(value: unknown): value is ResolveInfo {
  if (typeof value !== 'object' || value === null) return false;
  const { fieldName, operation, schema, fragments } = value as Record<string, unknown>;
  if (typeof fieldName !== 'string' || typeof schema !== 'object' || typeof fragments !== 'object')
    return false;
  return typeof operation === 'object' && operation !== null && 'operation' in operation;
}

function nameOf(context: ExecutionContext): string {
  return `${context.getClass().name}.${context.getHandler().name}()`;
}

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
    /** Why there is no tenant. In a box, since what was thrown may be `undefined`. Of a connection it changes. */
    public failure?: { readonly error: unknown },
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

/** What a decorator has said of a route: on its handler, or else on the class. */
export function routeMetadata<Value>(key: string | symbol, context: ExecutionContext): Value | undefined {
  const read = (target: object) => Reflect.getMetadata(key, target) as Value | undefined;
  return read(context.getHandler()) ?? read(context.getClass());
}

/**
 * The same for what each request asks: read once of each route, since metadata stays as a start has left it. Belongs to
 * one instance of a guard.
 */
export class RouteMetadata<Value> {
  /** By handler, and then by class, since a class inherits handlers. */
  readonly #known = new WeakMap<object, WeakMap<object, Value>>();

  /** `standard`: what counts where no decorator says anything. */
  constructor(
    private readonly key: string | symbol,
    private readonly standard: NonNullable<Value>,
  ) {}

  of(context: ExecutionContext): Value {
    const [handler, ofClass] = [context.getHandler(), context.getClass()];
    const ofHandler = this.#known.get(handler) ?? new WeakMap<object, Value>();
    const known = ofHandler.get(ofClass);
    if (known !== undefined) return known;
    const value = routeMetadata<Value>(this.key, context) ?? this.standard;
    this.#known.set(handler, ofHandler.set(ofClass, value));
    return value;
  }
}
