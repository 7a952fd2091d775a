import { Controller } from '@nestjs/common';
import type { ApiRequest } from '../http/api-request';
import { callerOf } from '../http/caller';
import { Invitations } from '../members/invitations/invitations';
import { InvitationsController, type InvitationsOf } from '../members/invitations/invitations.controller';
import { TenantLifecycle } from '../provisioning/tenant-lifecycle';
import { AdminRoutes } from './admin-routes.decorator';

/** The invitations of any tenant, whatever its status. A master key may invite to every role. */
@Controller('admin/tenants/:tenant/invitations')
@AdminRoutes('members')
export class TenantInvitationsOfAdminController extends InvitationsController {
  constructor(
    invitations: Invitations,
    private readonly lifecycle: TenantLifecycle,
  ) {
    super(invitations);
  }

  protected async invitationsOf(request: ApiRequest): Promise<InvitationsOf> {
    const { id } = await this.lifecycle.get(request.params?.tenant ?? '');
    return { tenantId: id, by: { actor: callerOf(request).name } };
  }
}
