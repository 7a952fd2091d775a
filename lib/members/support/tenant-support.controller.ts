import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  HttpStatus,
  Param,
  Post,
  Put,
  Query,
  UseInterceptors,
} from '@nestjs/common';
import { CurrentPrincipal } from '../../access/current-principal.decorator';
import type { Principal } from '../../access/principal';
import { inTenant } from '../../access/request-principal';
import { RequireScopes } from '../../access/require-scopes.decorator';
import { TenantRoutes } from '../../access/tenant-routes.decorator';
import { Accepts } from '../../http/accepted.guard';
import { type Page, readPage } from '../../http/cursor';
import { PageQuery } from '../../http/page-query';
import { SupportAnswerInterceptor } from './support-answer.interceptor';
import { SupportAccessBody, type SupportSessionView, toSupportSessionView } from './support.dto';
import type { SupportSession } from './support-session';
import { type SupportChangeOptions, SupportSessions } from './support-sessions';

/** Who has entered the request's tenant for support. An owner decides on it; who manages members may end it. */
@Controller('tenant/support')
@RequireScopes('members:write')
@TenantRoutes()
export class TenantSupportController {
  constructor(private readonly sessions: SupportSessions) {}

  @Get()
  @RequireScopes('members:read')
  @Accepts({ query: PageQuery })
  async list(
    @CurrentPrincipal() principal: Principal,
    @Query() query: PageQuery,
  ): Promise<Page<SupportSessionView>> {
    return readPage(
      query,
      (rows) => this.sessions.list(inTenant(principal).tenantId, rows),
      toSupportSessionView,
    );
  }

  @Get('access')
  @RequireScopes('members:read')
  async access(@CurrentPrincipal() principal: Principal): Promise<SupportAccessBody> {
    return { supportAccess: await this.sessions.access(inTenant(principal).tenantId) };
  }

  @Put('access')
  @Accepts({ body: SupportAccessBody })
  async setAccess(
    @CurrentPrincipal() principal: Principal,
    @Body() { supportAccess }: SupportAccessBody,
  ): Promise<SupportAccessBody> {
    const by = byOf(principal);
    return { supportAccess: await this.sessions.setAccess(inTenant(principal).tenantId, supportAccess, by) };
  }

  @Get(':session')
  @RequireScopes('members:read')
  @UseInterceptors(SupportAnswerInterceptor)
  get(@CurrentPrincipal() principal: Principal, @Param('session') id: string): Promise<SupportSession> {
    return this.sessions.get(inTenant(principal).tenantId, id);
  }

  @Post(':session/approve')
  @HttpCode(HttpStatus.OK)
  @UseInterceptors(SupportAnswerInterceptor)
  approve(@CurrentPrincipal() principal: Principal, @Param('session') id: string): Promise<SupportSession> {
    return this.sessions.approve(inTenant(principal).tenantId, id, byOf(principal));
  }

  @Delete(':session')
  @UseInterceptors(SupportAnswerInterceptor)
  revoke(@CurrentPrincipal() principal: Principal, @Param('session') id: string): Promise<SupportSession> {
    return this.sessions.revoke(inTenant(principal).tenantId, id, byOf(principal));
  }
}

function byOf(principal: Principal): SupportChangeOptions {
  return { actor: principal.name, grantedBy: principal };
}
