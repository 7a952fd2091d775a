import { SetMetadata } from '@nestjs/common';

export const SAME_FOR_EVERY_CALLER = Symbol('SAME_FOR_EVERY_CALLER');

/**
 * Says of a route, or of the routes of a class, that whoever may ask gets the same answer within a tenant. Then
 * `TenantCacheInterceptor` keeps one answer for all of them; without it, one for each caller.
 */
export const SameForEveryCaller = (): ClassDecorator & MethodDecorator =>
  SetMetadata(SAME_FOR_EVERY_CALLER, true);
