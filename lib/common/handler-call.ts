import type { ArgumentsHost, ExecutionContext } from '@nestjs/common';
import { TransportUnknownError } from './tenancy.errors';

/** How work comes to a handler: queries and mutations of GraphQL come by HTTP. */
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
 * @throws TransportUnknownError for subscriptions of GraphQL, and for all that is not HTTP, WebSocket or microservice
 */
export function arrivalOf(context: ExecutionContext): Arrival {
  const type = context.getType<string>();
  if (type === 'http' || type === 'ws' || type === 'rpc') return type;
  if (type !== 'graphql')
    throw new TransportUnknownError(nameOf(context), `something of the kind "${type}"`, OF_NOBODY);
  const operation = resolveInfoOf(context)?.info.operation.operation;
  if (operation === 'query' || operation === 'mutation') return 'http';
  throw new TransportUnknownError(
    nameOf(context),
    `a GraphQL ${operation ?? 'server of an unknown kind'}`,
    BY_HTTP,
  );
}

const OF_NOBODY =
  'Mark the handler with @TenantFree(), and with @Public() of nestjs-tenancy/access if that is there; in it give the work its ' +
  'tenant with TenantContext.run(tenant, work).';
const BY_HTTP = 'Ask for the same by a query or a mutation over HTTP.';

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
  const context = resolveInfoOf(host)?.context as
    { readonly reply?: { readonly request?: unknown }; readonly req?: unknown } | undefined;
  const request = context?.reply?.request ?? context?.req;
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
