/**
 * Keeps the tenants in Redis.
 *
 * @module nestjs-tenancy/redis
 */

export { RedisTenantStore, type RedisStoreOptions } from './redis-tenant.store';
export { type RedisClient } from './redis-connection';
export {
  RedisRegistryDamagedError,
  RedisRegistryLayoutError,
  RedisRegistryMissingError,
} from './redis.errors';
