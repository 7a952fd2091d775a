/**
 * API keys, tokens and scopes.
 *
 * @module nestjs-tenancy/access
 */

export { TenancyAccessModule } from './tenancy-access.module';
export { type TenancyAccessExtras, type TenancyAccessOptions } from './access.options';
export { fromApiKey, type FromApiKeyOptions } from './from-api-key';
export { Principal } from './principal';
export { type PrincipalMember } from './memberships';
export { CurrentPrincipal } from './current-principal.decorator';
export { RequireScopes } from './require-scopes.decorator';
export { Public } from '../http/public-route.decorator';
export {
  type ApiKeyChangeOptions,
  ApiKeys,
  type ApiKeyWriteOptions,
  type CreateApiKeyOptions,
  type RotateApiKeyOptions,
} from './api-keys';
export { type ApiKey, API_KEY_STATUSES, type ApiKeyStatus, type ShownApiKey } from './api-key';
export { type ApiKeyInput, type ApiKeyPatch } from './api-key-input';
export { API_KEY_SCHEME, withApiKeyScheme } from './openapi/api-key-scheme';
export { ScopeMissingError } from '../common/scope.errors';
export {
  AccessModuleMissingError,
  ApiKeyAddressError,
  ApiKeyBlockedError,
  ApiKeyExpiredError,
  ApiKeyInvalidError,
  ApiKeyLimitError,
  ApiKeyMalformedError,
  ApiKeyNotFoundError,
  ApiKeyRevokedError,
  ApiKeyVersionError,
  CredentialsAmbiguousError,
  CredentialsUnreadError,
  InvalidAccessOptionsError,
  ManagerElsewhereError,
  NotAMemberError,
  NotAnAccessTokenError,
  UnauthenticatedError,
} from './access.errors';
