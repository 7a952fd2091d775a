import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { arrivalOf, getRequestState, isUnknownKind, requestOf } from '../../context/handler-call';
import type { Tenant } from '../../registry/tenant';
import { tenantOfMessage } from '../messages/message-context';

/**
 * The tenant of the request or message, or with a name one of its properties: `@CurrentTenant('slug') slug: string`.
 * `undefined` on a `@TenantFree()` route, and on a `@TenantOptional()` one when the request names no tenant.
 *
 * @throws TenantRequiredError in a gateway or a microservice's handler that no `TenantInterceptor` works for
 */
export const CurrentTenant: (property?: keyof Tenant) => ParameterDecorator = createParamDecorator(
  (property: keyof Tenant | undefined, context: ExecutionContext) => {
    const tenant = tenantOf(context);
    return property === undefined ? tenant : tenant?.[property];
  },
);

function tenantOf(context: ExecutionContext): Tenant | undefined {
  // What is of no known kind got here because it said that it needs no tenant.
  if (isUnknownKind(context)) return undefined;
  if (arrivalOf(context) !== 'http') return tenantOfMessage(context);
  return getRequestState(requestOf(context))?.frame.tenant;
}
