import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { RouteMetadata } from '../common/route-metadata';
import { arrivalOf } from '../common/arrival';
import { getRequestState, requestOf } from '../resolution/http/request-state';
import { TENANT_NEED } from '../resolution/http/tenant-route.decorator';

/** As much of `@opentelemetry/api` as is needed. */
export interface ActiveSpans {
  getActiveSpan(): { setAttributes(attributes: Record<string, string>): unknown } | undefined;
}

/** Says on the active span whose request it is. It lets everybody pass who comes by a way that we know. */
@Injectable()
export class TenantSpanGuard implements CanActivate {
  readonly #needs = new RouteMetadata<string>(TENANT_NEED, 'tenant');

  constructor(private readonly spans: ActiveSpans | undefined) {}

  canActivate(context: ExecutionContext): true {
    // What runs without a tenant runs so whatever the request claims.
    if (this.#needs.of(context) === 'free' || arrivalOf(context) !== 'http') return true;
    const span = this.spans?.getActiveSpan();
    const tenant = span && getRequestState(requestOf(context))?.frame.tenant;
    if (tenant) span.setAttributes({ 'tenant.id': tenant.id, 'tenant.slug': tenant.slug });
    return true;
  }
}
