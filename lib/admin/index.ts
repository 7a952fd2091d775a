/**
 * An HTTP API for operators.
 *
 * @module nestjs-tenancy/admin
 */

export { TenancyAdminModule } from './tenancy-admin.module';
export {
  type MasterKey,
  type MasterKeySource,
  type TenancyAdminExtras,
  type TenancyAdminOptions,
} from './admin.options';
export {
  AuditNotKeptError,
  InvalidAdminOptionsError,
  MasterKeyInvalidError,
  MasterKeyMissingError,
} from './admin.errors';
export {
  BodyTooLargeError,
  IdempotencyInProgressError,
  IdempotencyKeyReusedError,
  UnsupportedMediaTypeError,
} from '../http/http.errors';
export { MASTER_KEY_SCHEME, withMasterKeyScheme } from './openapi/master-key-scheme';
