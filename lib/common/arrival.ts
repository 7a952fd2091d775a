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
