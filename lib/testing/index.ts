export {
  startEmbeddedPostgres,
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
} from './embedded-postgres';
export { EmbeddedPostgresError } from './testing.errors';
export { runTenantStoreContract } from './tenant-store.contract';
