import { Controller, UseGuards, UseInterceptors, UsePipes } from '@nestjs/common';
import { AcceptedGuard } from '../http/accepted.guard';
import type { ApiRequest } from '../http/api-request';
import { ApiValidationPipe } from '../http/api-validation.pipe';
import { FieldsInterceptor } from '../http/fields.interceptor';
import { IdempotencyInterceptor } from '../http/idempotency.interceptor';
import { TenantRequiredError } from '../context/context.errors';
import { ApiKeys } from './api-keys';
import { KeysController, type KeysOf } from './keys.controller';
import { PrincipalCallerGuard } from './principal-caller.guard';
import { principalOf } from './request-principal';
import { RequireScopes } from './require-scopes.decorator';

/** The keys of the request's tenant. A caller can change no key that has a scope the caller lacks. */
@Controller('tenant/keys')
@RequireScopes('keys:write')
@UseGuards(PrincipalCallerGuard, AcceptedGuard)
@UseInterceptors(IdempotencyInterceptor, FieldsInterceptor)
@UsePipes(ApiValidationPipe)
export class TenantKeysController extends KeysController {
  constructor(keys: ApiKeys) {
    super(keys);
  }

  protected keysOf(request: ApiRequest): KeysOf {
    const principal = principalOf(request);
    if (principal?.tenantId === undefined) throw new TenantRequiredError();
    const { tenantId, name, scopes } = principal;
    return { tenantId, by: { actor: name, grantedBy: scopes } };
  }
}
