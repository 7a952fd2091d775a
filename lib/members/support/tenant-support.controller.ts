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
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { CurrentPrincipal } from '../../access/current-principal.decorator';
import { PrincipalCallerGuard } from '../../access/principal-caller.guard';
import type { Principal } from '../../access/principal';
import { RequireScopes } from '../../access/require-scopes.decorator';
import { TenantRequiredError } from '../../context/context.errors';
import { AcceptedGuard, Accepts } from '../../http/accepted.guard';
import { ApiValidationPipe } from '../../http/api-validation.pipe';
import { type Page, readPage } from '../../http/cursor';
import { FieldsInterceptor } from '../../http/fields.interceptor';
import { IdempotencyInterceptor } from '../../http/idempotency.interceptor';
import { PageQuery } from '../../http/page-query';
import { SupportAnswerInterceptor } from './support-answer.interceptor';
import { SupportAccessBody, type SupportSessionView, toSupportSessionView } from './support.dto';
import type { SupportSession } from './support-session';
import { type SupportChangeOptions, SupportSessions } from './support-sessions';

/** Who has entered the request's tenant for support. An owner decides on it; who manages members may end it. */
@Controller('tenant/support')
@RequireScopes('members:write')
@UseGuards(PrincipalCallerGuard, AcceptedGuard)
@UseInterceptors(IdempotencyInterceptor, FieldsInterceptor)
@UsePipes(ApiValidationPipe)
export class TenantSupportController {
  constructor(private readonly sessions: SupportSessions) {}

  @Get()
  @RequireScopes('members:read')
  @Accepts({ query: PageQuery })
  async list(
    @CurrentPrincipal() principal: Principal,
    @Query() query: PageQuery,
  ): Promise<Page<SupportSessionView>> {
    return readPage(query, (rows) => this.sessions.list(tenantOf(principal), rows), toSupportSessionView);
  }

  @Get('access')
  @RequireScopes('members:read')
  async access(@CurrentPrincipal() principal: Principal): Promise<SupportAccessBody> {
    return { supportAccess: await this.sessions.access(tenantOf(principal)) };
  }

  @Put('access')
  @Accepts({ body: SupportAccessBody })
  async setAccess(
    @CurrentPrincipal() principal: Principal,
    @Body() { supportAccess }: SupportAccessBody,
  ): Promise<SupportAccessBody> {
    const by = byOf(principal);
    return { supportAccess: await this.sessions.setAccess(tenantOf(principal), supportAccess, by) };
  }

  @Get(':session')
  @RequireScopes('members:read')
  @UseInterceptors(SupportAnswerInterceptor)
  get(@CurrentPrincipal() principal: Principal, @Param('session') id: string): Promise<SupportSession> {
    return this.sessions.get(tenantOf(principal), id);
  }

  @Post(':session/approve')
  @HttpCode(HttpStatus.OK)
  @UseInterceptors(SupportAnswerInterceptor)
  approve(@CurrentPrincipal() principal: Principal, @Param('session') id: string): Promise<SupportSession> {
    return this.sessions.approve(tenantOf(principal), id, byOf(principal));
  }

  @Delete(':session')
  @UseInterceptors(SupportAnswerInterceptor)
  revoke(@CurrentPrincipal() principal: Principal, @Param('session') id: string): Promise<SupportSession> {
    return this.sessions.revoke(tenantOf(principal), id, byOf(principal));
  }
}

function tenantOf({ tenantId }: Principal): string {
  if (tenantId === undefined) throw new TenantRequiredError();
  return tenantId;
}

function byOf(principal: Principal): SupportChangeOptions {
  return { actor: principal.name, grantedBy: principal };
}
