import type { IncomingMessage } from 'node:http';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { getRequestState } from '../resolution/request-state';
import { TENANT_NEED } from '../resolution/tenant-route.decorator';

/** As much of `@opentelemetry/api` as is needed. */
export interface ActiveSpans {
  getActiveSpan(): { setAttributes(attributes: Record<string, string>): unknown } | undefined;
}

/** Says on the active span whose request it is. It lets everybody pass. */
@Injectable()
export class TenantSpanGuard implements CanActivate {
  constructor(
    private readonly spans: ActiveSpans | undefined,
    private readonly reflector: Reflector,
  ) {}

  canActivate(context: ExecutionContext): true {
    const span = this.spans?.getActiveSpan();
    if (!span || context.getType() !== 'http') return true;
    // What runs without a tenant runs so whatever the request claims.
    const need = this.reflector.getAllAndOverride<string | undefined>(TENANT_NEED, [
      context.getHandler(),
      context.getClass(),
    ]);
    const request = context.switchToHttp().getRequest<IncomingMessage>();
    const tenant = need === 'free' ? undefined : getRequestState(request)?.scope.tenant;
    if (tenant) span.setAttributes({ 'tenant.id': tenant.id, 'tenant.slug': tenant.slug });
    return true;
  }
}
