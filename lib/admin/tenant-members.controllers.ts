import { Controller, Get, Param } from '@nestjs/common';
import type { ApiRequest } from '../http/api-request';
import { callerOf } from '../http/caller';
import { MemberRoles } from '../members/member-roles';
import { MembersController, type MembersOf } from '../members/members.controller';
import { MembersService } from '../members/members.service';
import type { RolesView } from '../members/tenant-members.controller';
import { TenantLifecycle } from '../provisioning/tenant-lifecycle';
import { AdminRoutes } from './admin-routes.decorator';

/** The members of any tenant, whatever its status. A master key may give every role. */
@Controller('admin/tenants/:tenant/members')
@AdminRoutes('members')
export class AdminMembersController extends MembersController {
  constructor(
    members: MembersService,
    private readonly lifecycle: TenantLifecycle,
  ) {
    super(members);
  }

  protected async membersOf(request: ApiRequest): Promise<MembersOf> {
    const tenant = await this.lifecycle.get(request.params?.tenant ?? '');
    return { tenant, by: { actor: callerOf(request).name } };
  }
}

/** The roles that members of a tenant can have. */
@Controller('admin/tenants/:tenant/roles')
@AdminRoutes('members')
export class AdminRolesController {
  constructor(
    private readonly roles: MemberRoles,
    private readonly lifecycle: TenantLifecycle,
  ) {}

  @Get()
  async list(@Param('tenant') reference: string): Promise<RolesView> {
    return { data: this.roles.list(await this.lifecycle.get(reference)) };
  }
}
