import { Controller } from '@nestjs/common';
import { inTenant, principalOf } from '../../access/request-principal';
import { RequireScopes } from '../../access/require-scopes.decorator';
import { TenantRoutes } from '../../access/tenant-routes.decorator';
import type { ApiRequest } from '../../http/api-request';
import { Invitations } from './invitations';
import { InvitationsController, type InvitationsOf } from './invitations.controller';

/** The invitations of the request's tenant. Nobody invites to a role or a scope that they lack. */
@Controller('tenant/invitations')
@RequireScopes('members:write')
@TenantRoutes()
export class TenantInvitationsController extends InvitationsController {
  constructor(invitations: Invitations) {
    super(invitations);
  }

  protected invitationsOf(request: ApiRequest): InvitationsOf {
    const principal = inTenant(principalOf(request));
    return { tenantId: principal.tenantId, by: { actor: principal.name, grantedBy: principal } };
  }
}
