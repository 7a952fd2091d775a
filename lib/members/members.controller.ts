import {
  Body,
  Delete,
  Get,
  HttpCode,
  HttpStatus,
  Injectable,
  Param,
  Patch,
  Post,
  Query,
  Req,
  UseInterceptors,
} from '@nestjs/common';
import { RequireScopes } from '../access/require-scopes.decorator';
import { Accepts, PATCH_BODY } from '../http/accepted.guard';
import type { ApiRequest } from '../http/api-request';
import { type Page, readPage } from '../http/cursor';
import { ifVersionOf } from '../http/etag';
import { type Attempt, IdempotentAttempt } from '../http/idempotency-attempt';
import { ResourceAnswerInterceptor } from '../http/resource-answer.interceptor';
import type { Tenant } from '../registry/tenant';
import type { Member } from './member';
import {
  AddMemberBody,
  MemberReasonBody,
  MembersQuery,
  type MemberView,
  toMemberView,
  UpdateMemberBody,
} from './member.dto';
import type { MemberChangeOptions, MembersService, MemberWriteOptions } from './members.service';

/** The tenant whose members a request is about, and the caller. */
export interface MembersOf {
  readonly tenant: Tenant;
  readonly by: Pick<MemberWriteOptions, 'actor' | 'grantedBy'>;
}

/** Turns the member that a handler returns into the answer's body. */
@Injectable()
export class MemberAnswerInterceptor extends ResourceAnswerInterceptor<Member> {
  protected view(member: Member): MemberView {
    return toMemberView(member);
  }
}

/**
 * The calls about members, for every controller that offers them. The scopes are those of principals; a master key has
 * scopes of its own.
 */
export abstract class MembersController {
  constructor(protected readonly members: MembersService) {}

  /** @throws TenantNotFoundError when there is no such tenant */
  protected abstract membersOf(request: ApiRequest): MembersOf | Promise<MembersOf>;

  @Post()
  @RequireScopes('members:write')
  @Accepts({ body: AddMemberBody })
  @UseInterceptors(MemberAnswerInterceptor)
  async add(
    @Req() request: ApiRequest,
    @Body() body: AddMemberBody,
    @IdempotentAttempt() attempt?: Attempt,
  ): Promise<Member> {
    const { tenant, by } = await this.membersOf(request);
    return this.members.add(tenant, body, { ...by, id: attempt?.newId });
  }

  @Get()
  @RequireScopes('members:read')
  @Accepts({ query: MembersQuery })
  async list(
    @Req() request: ApiRequest,
    @Query() { email, ...query }: MembersQuery,
  ): Promise<Page<MemberView>> {
    const { tenant } = await this.membersOf(request);
    return readPage(query, (rows) => this.members.list(tenant, { ...rows, email }), toMemberView);
  }

  @Get(':member')
  @RequireScopes('members:read')
  @UseInterceptors(MemberAnswerInterceptor)
  async get(@Req() request: ApiRequest, @Param('member') id: string): Promise<Member> {
    const { tenant } = await this.membersOf(request);
    return this.members.get(tenant, id);
  }

  @Patch(':member')
  @RequireScopes('members:write')
  @Accepts({ body: UpdateMemberBody, as: PATCH_BODY })
  @UseInterceptors(MemberAnswerInterceptor)
  async update(
    @Req() request: ApiRequest,
    @Param('member') id: string,
    @Body() body: UpdateMemberBody,
  ): Promise<Member> {
    const { tenant, options } = await this.#change(request, id);
    return this.members.update(tenant, id, body, options);
  }

  @Post(':member/block')
  @HttpCode(HttpStatus.OK)
  @RequireScopes('members:write')
  @Accepts({ body: MemberReasonBody })
  @UseInterceptors(MemberAnswerInterceptor)
  async block(
    @Req() request: ApiRequest,
    @Param('member') id: string,
    @Body() { reason }: MemberReasonBody,
  ): Promise<Member> {
    const { tenant, options } = await this.#change(request, id);
    return this.members.block(tenant, id, { ...options, reason });
  }

  @Post(':member/unblock')
  @HttpCode(HttpStatus.OK)
  @RequireScopes('members:write')
  @Accepts({ body: MemberReasonBody })
  @UseInterceptors(MemberAnswerInterceptor)
  async unblock(
    @Req() request: ApiRequest,
    @Param('member') id: string,
    @Body() { reason }: MemberReasonBody,
  ): Promise<Member> {
    const { tenant, options } = await this.#change(request, id);
    return this.members.unblock(tenant, id, { ...options, reason });
  }

  /** Cannot be undone. */
  @Delete(':member')
  @HttpCode(HttpStatus.NO_CONTENT)
  @RequireScopes('members:write')
  async remove(@Req() request: ApiRequest, @Param('member') id: string): Promise<void> {
    const { tenant, options } = await this.#change(request, id);
    await this.members.remove(tenant, id, options);
  }

  async #change(request: ApiRequest, id: string): Promise<{ tenant: Tenant; options: MemberChangeOptions }> {
    const { tenant, by } = await this.membersOf(request);
    return { tenant, options: { ...by, ifVersion: ifVersionOf(request, id) } };
  }
}
