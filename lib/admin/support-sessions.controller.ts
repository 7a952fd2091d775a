import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  HttpStatus,
  Param,
  Post,
  Query,
  Req,
  UseInterceptors,
} from '@nestjs/common';
import { Accepts } from '../http/accepted.guard';
import type { ApiRequest } from '../http/api-request';
import { callerOf } from '../http/caller';
import { type Page, readPage } from '../http/cursor';
import { type Attempt, IdempotentAttempt } from '../http/idempotency-attempt';
import { PageQuery } from '../http/page-query';
import { SecretAnswer } from '../http/secret-answer.decorator';
import { RecoveryKeys, type ShownRecoveryKey } from '../members/recovery/recovery-keys';
import { SupportAnswerInterceptor } from '../members/support/support-answer.interceptor';
import {
  EnterBody,
  RecoveryBody,
  type SupportSessionView,
  toSupportSessionView,
  withoutCredential,
} from '../members/support/support.dto';
import type { ShownSupportSession, SupportSession } from '../members/support/support-session';
import { SupportSessions } from '../members/support/support-sessions';
import { TenantLifecycle } from '../provisioning/tenant-lifecycle';
import { AdminScope } from './admin-resource';
import { AdminRoutes } from './admin-routes.decorator';

/** How those who hold a master key enter a tenant, where the tenant sees it. */
@Controller('admin/tenants/:tenant/support-sessions')
@AdminRoutes('support')
export class SupportSessionsController {
  constructor(
    private readonly sessions: SupportSessions,
    private readonly lifecycle: TenantLifecycle,
  ) {}

  @Post()
  @AdminScope('support:enter')
  @Accepts({ body: EnterBody })
  @SecretAnswer(withoutCredential)
  @UseInterceptors(SupportAnswerInterceptor)
  async enter(
    @Req() request: ApiRequest,
    @Param('tenant') tenant: string,
    @Body() body: EnterBody,
    @IdempotentAttempt() attempt?: Attempt,
  ): Promise<ShownSupportSession> {
    const { id } = await this.lifecycle.get(tenant);
    return this.sessions.enter(id, body, { actor: callerOf(request).name, id: attempt?.newId });
  }

  @Get()
  @Accepts({ query: PageQuery })
  async list(@Param('tenant') tenant: string, @Query() query: PageQuery): Promise<Page<SupportSessionView>> {
    const { id } = await this.lifecycle.get(tenant);
    return readPage(query, (rows) => this.sessions.list(id, rows), toSupportSessionView);
  }

  @Delete(':session')
  @AdminScope('support:enter')
  @UseInterceptors(SupportAnswerInterceptor)
  async end(
    @Req() request: ApiRequest,
    @Param('tenant') tenant: string,
    @Param('session') session: string,
  ): Promise<SupportSession> {
    const { id } = await this.lifecycle.get(tenant);
    return this.sessions.revoke(id, session, { actor: callerOf(request).name });
  }
}

/** Keys for tenants whose owners are gone. */
@Controller('admin/tenants/:tenant/recovery-keys')
@AdminRoutes('recovery')
export class RecoveryKeysController {
  constructor(
    private readonly keys: RecoveryKeys,
    private readonly lifecycle: TenantLifecycle,
  ) {}

  @Post()
  @AdminScope('recovery:create')
  @Accepts({ body: RecoveryBody })
  @SecretAnswer((body) => ({ ...(body as ShownRecoveryKey), key: null }))
  async create(
    @Req() request: ApiRequest,
    @Param('tenant') tenant: string,
    @Body() body: RecoveryBody,
    @IdempotentAttempt() attempt?: Attempt,
  ): Promise<ShownRecoveryKey> {
    const found = await this.lifecycle.get(tenant);
    return this.keys.create(found, body, { actor: callerOf(request).name, id: attempt?.newId });
  }

  @Delete(':recovery')
  @HttpCode(HttpStatus.NO_CONTENT)
  @AdminScope('recovery:create')
  async revoke(
    @Req() request: ApiRequest,
    @Param('tenant') tenant: string,
    @Param('recovery') id: string,
  ): Promise<void> {
    await this.keys.revoke(await this.lifecycle.get(tenant), id, { actor: callerOf(request).name });
  }
}
