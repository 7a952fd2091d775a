import { Injectable } from '@nestjs/common';
import { ResourceAnswerInterceptor } from '../http/resource-answer.interceptor';
import type { Tenant } from '../registry/tenant';
import { type TenantView, toTenantView } from './tenant.dto';

/** Answers with the tenant that a handler returns. */
@Injectable()
export class TenantAnswerInterceptor extends ResourceAnswerInterceptor<Tenant> {
  protected view(tenant: Tenant): TenantView {
    return toTenantView(tenant);
  }
}
