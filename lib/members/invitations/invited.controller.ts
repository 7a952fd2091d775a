import {
  Body,
  Controller,
  HttpCode,
  HttpStatus,
  Post,
  Req,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { AcceptedGuard, Accepts } from '../../http/accepted.guard';
import type { ApiRequest } from '../../http/api-request';
import { ApiValidationPipe } from '../../http/api-validation.pipe';
import { FieldsInterceptor } from '../../http/fields.interceptor';
import { type Attempt, IdempotentAttempt } from '../../http/idempotency-attempt';
import { IdempotencyInterceptor } from '../../http/idempotency.interceptor';
import { Public } from '../../http/public-route.decorator';
import { TenantFree } from '../../resolution/http/tenant-route.decorator';
import type { Member } from '../member';
import { TokenCallerGuard, tokenOf } from '../token-caller.guard';
import { InvitationSecretBody } from './invitation.dto';
import { Invitations } from './invitations';

/** Where somebody belongs now. */
export interface JoinedView {
  readonly tenant: { readonly id: string; readonly slug: string; readonly name: string };
  readonly member: Pick<Member, 'id' | 'roles' | 'scopes' | 'joinedAt'>;
}

/** What invited people call. They belong to no tenant yet, so the request's tenant counts for nothing. */
@Controller('invitations')
@Public()
@TenantFree()
@UsePipes(ApiValidationPipe)
export class InvitedController {
  constructor(private readonly invitations: Invitations) {}

  @Post('accept')
  @UseGuards(TokenCallerGuard, AcceptedGuard)
  @UseInterceptors(IdempotencyInterceptor, FieldsInterceptor)
  @Accepts({ body: InvitationSecretBody })
  async accept(
    @Req() request: ApiRequest,
    @Body() { secret }: InvitationSecretBody,
    @IdempotentAttempt() attempt?: Attempt,
  ): Promise<JoinedView> {
    const { claims = {} } = tokenOf(request).details;
    const { tenant, member } = await this.invitations.accept(secret, claims, attempt?.newId);
    const { id, slug, name } = tenant;
    const { roles, scopes, joinedAt } = member;
    return { tenant: { id, slug, name }, member: { id: member.id, roles, scopes, joinedAt } };
  }

  /** The secret alone is enough: whoever does not want to join need not sign in. */
  @Post('decline')
  @HttpCode(HttpStatus.NO_CONTENT)
  @UseGuards(AcceptedGuard)
  @UseInterceptors(FieldsInterceptor)
  @Accepts({ body: InvitationSecretBody })
  async decline(@Body() { secret }: InvitationSecretBody): Promise<void> {
    await this.invitations.decline(secret);
  }
}
