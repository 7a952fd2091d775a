import { applyDecorators, SetMetadata, UseGuards } from '@nestjs/common';
import { needsModule } from '../common/module-check';
import { AccessModuleMissingError } from './access.errors';
import { ACCESS_OPTIONS } from './access.options';

export const REQUIRED_SCOPES = 'nestjs-tenancy:scopes';

/** RFC 6749, 3.3. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

const NeedsAccess = needsModule(ACCESS_OPTIONS, () => new AccessModuleMissingError('@RequireScopes()'));

/**
 * The caller needs all of these scopes; else 403 `SCOPE_MISSING`. On a method, this replaces what its class requires.
 *
 * @throws TypeError when a scope is malformed, and when none is given
 */
export function RequireScopes(...scopes: readonly string[]) {
  if (scopes.length === 0 || !scopes.every((scope) => typeof scope === 'string' && SCOPE_TOKEN.test(scope))) {
    throw new TypeError(
      `@RequireScopes(${scopes.map((scope) => JSON.stringify(scope)).join(', ')}): name scopes, such as 'orders:read'.`,
    );
  }
  return applyDecorators(SetMetadata(REQUIRED_SCOPES, scopes), UseGuards(NeedsAccess));
}
