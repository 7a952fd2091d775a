import { SetMetadata } from '@nestjs/common';

export const PUBLIC = 'nestjs-tenancy:public';

/**
 * The route asks for no credential, where `TenancyAccessModule` asks for one: a health check, a sign-in. A credential
 * that is sent all the same is read, and a bad one refused, unless the route is `@TenantFree()` as well.
 */
export const Public = () => SetMetadata(PUBLIC, true);
