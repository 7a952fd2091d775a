import { SetMetadata } from '@nestjs/common';

/** What a route asks of the tenant. */
export type TenantNeed = 'optional' | 'free';

/** One key for both decorators, so that the one on a method overrides the one on its class. */
export const TENANT_NEED = 'nestjs-tenancy:need';

/**
 * The route works with a tenant and without one. A claim that names nobody, or a tenant that is not active, is still
 * refused.
 */
export const TenantOptional = () => SetMetadata(TENANT_NEED, 'optional' satisfies TenantNeed);

/** The route belongs to no tenant (a health check, a sign-up): whatever the request claims, it runs without one. */
export const TenantFree = () => SetMetadata(TENANT_NEED, 'free' satisfies TenantNeed);
