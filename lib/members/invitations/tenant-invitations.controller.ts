import { Controller, UseGuards, UseInterceptors, UsePipes } from '@nestjs/common';
import { PrincipalCallerGuard } from '../../access/principal-caller.guard';
import { principalOf } from '../../access/request-principal';
import { RequireScopes } from '../../access/require-scopes.decorator';
import { TenantRequiredError } from '../../context/context.errors';
import { AcceptedGuard } from '../../http/accepted.guard';
import type { ApiRequest } from '../../http/api-request';
import { ApiValidationPipe } from '../../http/api-validation.pipe';
import { FieldsInterceptor } from '../../http/fields.interceptor';
import { IdempotencyInterceptor } from '../../http/idempotency.interceptor';
import { Invitations } from './invitations';
import { InvitationsController, type InvitationsOf } from './invitations.controller';

/** The invitations of the request's tenant. Nobody invites to a role or a scope that they lack. */
@Controller('tenant/invitations')
@RequireScopes('members:write')
@UseGuards(PrincipalCallerGuard, AcceptedGuard)
@UseInterceptors(IdempotencyInterceptor, FieldsInterceptor)
@UsePipes(ApiValidationPipe)
export class TenantInvitationsController extends InvitationsController {
  constructor(invitations: Invitations) {
    super(invitations);
  }

  protected invitationsOf(request: ApiRequest): InvitationsOf {
    const principal = principalOf(request);
    if (principal?.tenantId === undefined) throw new TenantRequiredError();
    const { tenantId, name } = principal;
    return { tenantId, by: { actor: name, grantedBy: principal } };
  }
}
