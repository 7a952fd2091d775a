import { Body, Controller, Post, Req, UseGuards, UseInterceptors, UsePipes } from '@nestjs/common';
import { AcceptedGuard, Accepts } from '../../http/accepted.guard';
import type { ApiRequest } from '../../http/api-request';
import { ApiValidationPipe } from '../../http/api-validation.pipe';
import { FieldsInterceptor } from '../../http/fields.interceptor';
import { Public } from '../../http/public-route.decorator';
import { TenantFree } from '../../resolution/http/tenant-route.decorator';
import type { JoinedView } from '../invitations/invited.controller';
import { RecoverBody } from '../support/support.dto';
import { TokenCallerGuard, tokenOf } from '../token-caller.guard';
import { RecoveryKeys } from './recovery-keys';

/** What somebody calls who has a recovery key, signed in, and of no tenant or another one. */
@Controller('recovery')
@Public()
@TenantFree()
@UseGuards(TokenCallerGuard, AcceptedGuard)
@UseInterceptors(FieldsInterceptor)
@UsePipes(ApiValidationPipe)
export class RecoveryController {
  constructor(private readonly keys: RecoveryKeys) {}

  @Post()
  @Accepts({ body: RecoverBody })
  async recover(@Req() request: ApiRequest, @Body() { key }: RecoverBody): Promise<JoinedView> {
    const { claims = {} } = tokenOf(request).details;
    const { tenant, member } = await this.keys.use(key, claims);
    const { id, slug, name } = tenant;
    const { roles, scopes, joinedAt } = member;
    return { tenant: { id, slug, name }, member: { id: member.id, roles, scopes, joinedAt } };
  }
}
