/**
 * Rate limits by tenant and plan.
 *
 * @module nestjs-tenancy/throttling
 */

export { TenancyThrottlingModule } from './tenancy-throttling.module';
export type { RateLimit, RateLimits, TenantRateLimits } from './rate-limit';
export { type TenancyThrottlingOptions } from './throttling.options';
export { type PlanReader } from '../registry/tenant-plans';
export { RateLimitWeight } from './rate-limit-weight.decorator';
export { type RateLimitState, RateLimitStorage } from './rate-limit-storage';
export { MemoryRateLimits } from './memory-rate-limits';
export { type RedisClient, RedisRateLimits } from './redis-rate-limits';
export { InvalidThrottlingOptionsError, RateLimitedError } from './throttling.errors';
