import { SetMetadata } from '@nestjs/common';

export const PUBLIC = 'nestjs-tenancy:public';

/**
 * The route needs no credential although `TenancyAccessModule` is imported: a health check, a sign-in. A credential
 * that is sent all the same is read, and a bad one is refused, unless the route is also `@TenantFree()`.
 */
export const Public = () => SetMetadata(PUBLIC, true);
