import { Scope, type FactoryProvider } from '@nestjs/common';
import { TenantContext } from '../../context/tenant-context';
import type { Tenant } from '../../registry/tenant';

/**
 * Token of the request's tenant: `@Inject(CURRENT_TENANT) private readonly tenant: Tenant | undefined`.
 * It makes every class that injects it, and all above, request-scoped; `TenantContext.tenant()` costs nothing of that.
 * Durable classes, which Nest shares between requests, may not inject it: the start fails with `DurableTenantError`.
 */
export const CURRENT_TENANT = Symbol('CURRENT_TENANT');

/**
 * `find()`, not `tenant()`: Nest makes request-scoped classes before guards run, and an error here would hide the
 * guard's. For the same reason a `@TenantFree()` route is given the tenant that the request names.
 */
export const currentTenantProvider: FactoryProvider<Tenant | undefined> = {
  provide: CURRENT_TENANT,
  scope: Scope.REQUEST,
  inject: [TenantContext],
  useFactory: (context: TenantContext) => context.find(),
};
