/**
 * A PostgreSQL and tenants for tests, the isolation hammer, the contracts of a store and of an adapter.
 *
 * @module nestjs-tenancy/testing
 */

export {
  startEmbeddedPostgres,
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
} from './embedded-postgres';
export { type HammerCall, type HammerTenant } from './hammer/hammer-call';
export {
  HttpHammer,
  type HttpHammerAnswer,
  type HttpHammerOptions,
  type HttpHammerRequest,
} from './http-hammer';
export { runIsolationHammer } from './isolation-hammer';
export {
  type HammerOperation,
  type IsolationHammerOptions,
  type IsolationHammerReport,
} from './isolation-hammer.options';
export { EmbeddedPostgresError, HammerBlindError } from './testing.errors';
export { type AdapterFinding, type TenantAdapter } from './adapter/tenant-adapter';
export { checkTenantAdapter } from './check-tenant-adapter';
export { TestTenants, testTenants } from './test-tenants';
export { runTenantStoreContract } from './tenant-store.contract';
