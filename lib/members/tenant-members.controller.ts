import { Controller, Get, UseGuards } from '@nestjs/common';
import { principalOf } from '../access/request-principal';
import { RequireScopes } from '../access/require-scopes.decorator';
import { TenantRoutes } from '../access/tenant-routes.decorator';
import { TenantContext } from '../context/tenant-context';
import { AcceptedGuard } from '../http/accepted.guard';
import type { ApiRequest } from '../http/api-request';
import { MemberRoles, type Role } from './member-roles';
import { MembersController, type MembersOf } from './members.controller';
import { MembersService } from './members.service';

/** The members of the request's tenant. A caller gives nothing that they lack. */
@Controller('tenant/members')
@TenantRoutes()
export class TenantMembersController extends MembersController {
  constructor(
    members: MembersService,
    private readonly context: TenantContext,
  ) {
    super(members);
  }

  protected membersOf(request: ApiRequest): MembersOf {
    const principal = principalOf(request);
    return { tenant: this.context.tenant(), by: { actor: principal?.name, grantedBy: principal } };
  }
}

/** All roles of a tenant. */
export interface RolesView {
  readonly data: readonly Role[];
}

/** The roles that members of the request's tenant can have. */
@Controller('tenant/roles')
@UseGuards(AcceptedGuard)
export class TenantRolesController {
  constructor(
    private readonly roles: MemberRoles,
    private readonly context: TenantContext,
  ) {}

  @Get()
  @RequireScopes('members:read')
  list(): RolesView {
    return { data: this.roles.list(this.context.tenant()) };
  }
}
