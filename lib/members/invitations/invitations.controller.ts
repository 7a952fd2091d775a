import {
  Body,
  Delete,
  Get,
  HttpCode,
  HttpStatus,
  Injectable,
  Param,
  Post,
  Query,
  Req,
  UseInterceptors,
} from '@nestjs/common';
import { RequireScopes } from '../../access/require-scopes.decorator';
import { Accepts } from '../../http/accepted.guard';
import type { ApiRequest } from '../../http/api-request';
import { type Page, readPage } from '../../http/cursor';
import { ifVersionOf } from '../../http/etag';
import { type Attempt, IdempotentAttempt } from '../../http/idempotency-attempt';
import { ResourceAnswerInterceptor } from '../../http/resource-answer.interceptor';
import { SecretAnswer } from '../../http/secret-answer.decorator';
import type { Invitation, ShownInvitation } from './invitation';
import {
  CreateInvitationBody,
  InvitationQueryFields,
  InvitationReasonBody,
  type InvitationView,
  toInvitationView,
  withoutSecret,
} from './invitation.dto';
import type { InvitationChangeOptions, Invitations, InvitationWriteOptions } from './invitations';

/** Turns the invitation that a handler returns into the answer's body. */
@Injectable()
export class InvitationAnswerInterceptor extends ResourceAnswerInterceptor<Invitation> {
  protected view(invitation: Invitation): InvitationView {
    return toInvitationView(invitation);
  }
}

/** The tenant whose invitations a request is about, and the caller. */
export interface InvitationsOf {
  readonly tenantId: string;
  readonly by: Pick<InvitationWriteOptions, 'actor' | 'grantedBy'>;
}

/** The calls about invitations, for every controller that offers them. */
export abstract class InvitationsController {
  constructor(protected readonly invitations: Invitations) {}

  /** @throws TenantNotFoundError when there is no such tenant */
  protected abstract invitationsOf(request: ApiRequest): InvitationsOf | Promise<InvitationsOf>;

  @Post()
  @Accepts({ body: CreateInvitationBody })
  @SecretAnswer(withoutSecret)
  @UseInterceptors(InvitationAnswerInterceptor)
  async create(
    @Req() request: ApiRequest,
    @Body() body: CreateInvitationBody,
    @IdempotentAttempt() attempt?: Attempt,
  ): Promise<ShownInvitation> {
    const { tenantId, by } = await this.invitationsOf(request);
    return this.invitations.invite(tenantId, body, { ...by, id: attempt?.newId });
  }

  @Get()
  @RequireScopes('members:read')
  @Accepts({ query: InvitationQueryFields })
  async list(
    @Req() request: ApiRequest,
    @Query() { status, ...query }: InvitationQueryFields,
  ): Promise<Page<InvitationView>> {
    const { tenantId } = await this.invitationsOf(request);
    const all = status === 'all';
    return readPage(query, (rows) => this.invitations.list(tenantId, { ...rows, all }), toInvitationView);
  }

  @Get(':invitation')
  @RequireScopes('members:read')
  @UseInterceptors(InvitationAnswerInterceptor)
  async get(@Req() request: ApiRequest, @Param('invitation') id: string): Promise<Invitation> {
    const { tenantId } = await this.invitationsOf(request);
    return this.invitations.get(tenantId, id);
  }

  @Post(':invitation/resend')
  @HttpCode(HttpStatus.OK)
  @Accepts({ body: InvitationReasonBody })
  @SecretAnswer(withoutSecret)
  @UseInterceptors(InvitationAnswerInterceptor)
  async resend(
    @Req() request: ApiRequest,
    @Param('invitation') id: string,
    @Body() { reason }: InvitationReasonBody,
  ): Promise<ShownInvitation> {
    const { tenantId, options } = await this.#change(request, id);
    return this.invitations.resend(tenantId, id, { ...options, reason });
  }

  @Delete(':invitation')
  @UseInterceptors(InvitationAnswerInterceptor)
  async revoke(@Req() request: ApiRequest, @Param('invitation') id: string): Promise<Invitation> {
    const { tenantId, options } = await this.#change(request, id);
    return this.invitations.revoke(tenantId, id, options);
  }

  async #change(
    request: ApiRequest,
    id: string,
  ): Promise<{ tenantId: string; options: InvitationChangeOptions }> {
    const { tenantId, by } = await this.invitationsOf(request);
    return { tenantId, options: { ...by, ifVersion: ifVersionOf(request, id) } };
  }
}
