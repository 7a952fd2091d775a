import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Tenant } from '../tenant/tenant';
import { tenantOfMessage } from './message-context';
import { getRequestState } from './request-state';

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
  const type = context.getType();
  if (type === 'ws' || type === 'rpc') return tenantOfMessage(context);
  return getRequestState(context.switchToHttp().getRequest())?.scope.tenant;
}
