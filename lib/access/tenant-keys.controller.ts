import { Controller } from '@nestjs/common';
import type { ApiRequest } from '../http/api-request';
import { ApiKeys } from './api-keys';
import { KeysController, type KeysOf } from './keys.controller';
import { inTenant, principalOf } from './request-principal';
import { RequireScopes } from './require-scopes.decorator';
import { TenantRoutes } from './tenant-routes.decorator';

/** The keys of the request's tenant. A caller can change no key that has a scope the caller lacks. */
@Controller('tenant/keys')
@RequireScopes('keys:write')
@TenantRoutes()
export class TenantKeysController extends KeysController {
  constructor(keys: ApiKeys) {
    super(keys);
  }

  protected keysOf(request: ApiRequest): KeysOf {
    const { tenantId, name, scopes } = inTenant(principalOf(request));
    return { tenantId, by: { actor: name, grantedBy: scopes } };
  }
}
