import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Tenant } from '../tenant/tenant';
import { getRequestState } from './request-state';

/**
 * The request's tenant, or with a name one of its properties: `@CurrentTenant('slug') slug: string`.
 * `undefined` on a `@TenantFree()` route, and on a `@TenantOptional()` one when the request names no tenant.
 */
export const CurrentTenant: (property?: keyof Tenant) => ParameterDecorator = createParamDecorator(
  (property: keyof Tenant | undefined, context: ExecutionContext) => {
    const tenant = getRequestState(context.switchToHttp().getRequest())?.scope.tenant;
    return property === undefined ? tenant : tenant?.[property];
  },
);
