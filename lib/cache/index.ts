/**
 * A cache for each tenant.
 *
 * @module nestjs-tenancy/cache
 */

export { TenancyCacheModule } from './tenancy-cache.module';
export { type TenancyCacheOptions } from './cache.options';
export { type CacheEntry, TenantCache } from './tenant-cache';
export { TenantCacheInterceptor } from './tenant-cache.interceptor';
export { SameForEveryCaller } from './same-for-every-caller.decorator';
export { InvalidCacheOptionsError } from './cache.errors';
