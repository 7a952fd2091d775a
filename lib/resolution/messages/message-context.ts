import { type ExecutionContext, Logger } from '@nestjs/common';
import { TenantRequiredError } from '../../context/context.errors';
import type { TenantContext } from '../../context/tenant-context';
import type { Tenant } from '../../registry/tenant';

const TENANT_CONTEXT = Symbol('nestjs-tenancy context of messages');

type Carrier = { [TENANT_CONTEXT]?: TenantContext };

/**
 * Stores with a message the function that gives its tenant. Not the tenant itself: one client has many messages
 * under way, and one message may have several handlers, each with a need of its own.
 */
export function setMessageContext(message: ExecutionContext, context: TenantContext): void {
  const carrier = carrierOf(message);
  if (carrier) Reflect.set(carrier, TENANT_CONTEXT, context);
}

/**
 * The tenant that the handler of a message runs for.
 *
 * @throws TenantRequiredError when no interceptor has set it, because `undefined` would hide that mistake
 */
export function tenantOfMessage(message: ExecutionContext): Tenant | undefined {
  const context = carrierOf(message)?.[TENANT_CONTEXT];
  if (context) return context.find();
  const error = notIntercepted(message);
  // Logged here, because Nest does not log an `HttpException`, and gateways have no filter of ours.
  new Logger('Tenancy').error(error);
  throw error;
}

/** The object that all parts of Nest see for one message: the socket's client, or the transport's context. */
function carrierOf(message: ExecutionContext): Carrier | undefined {
  const carrier: unknown =
    message.getType() === 'ws' ? message.switchToWs().getClient() : message.switchToRpc().getContext();
  return typeof carrier === 'object' && carrier !== null ? carrier : undefined;
}

function notIntercepted(message: ExecutionContext): TenantRequiredError {
  return new TenantRequiredError(
    `@CurrentTenant() does not know for which tenant ${message.getClass().name}.${message.getHandler().name}() runs. ` +
      'Put @UseInterceptors(TenantInterceptor) of nestjs-tenancy/transports on the gateway or controller. ' +
      'With a transport that gives its messages no context object, ask TenantContext.find() instead.',
  );
}
