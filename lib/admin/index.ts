export { TenancyAdminModule } from './tenancy-admin.module';
export { type MasterKey, type MasterKeySource, type TenancyAdminOptions } from './admin.options';
export {
  AuditNotKeptError,
  BodyTooLargeError,
  IdempotencyInProgressError,
  IdempotencyKeyReusedError,
  MasterKeyInvalidError,
  MasterKeyMissingError,
  UnsupportedMediaTypeError,
} from './admin.errors';
export { MASTER_KEY_SCHEME, withMasterKeyScheme } from './openapi/master-key-scheme';
