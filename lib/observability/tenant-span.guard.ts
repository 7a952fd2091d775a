import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { arrivalOf, getRequestState, requestOf, RouteMetadata } from '../context/handler-call';
import { TENANT_NEED } from '../resolution/http/tenant-route.decorator';

/** The part of `@opentelemetry/api` that we use. */
export interface ActiveSpans {
  getActiveSpan(): { setAttributes(attributes: Record<string, string>): unknown } | undefined;
}

/** Adds the request's tenant to the active span. It admits every call of a known transport. */
@Injectable()
export class TenantSpanGuard implements CanActivate {
  readonly #needs = new RouteMetadata<string>(TENANT_NEED, 'tenant');

  constructor(private readonly spans: ActiveSpans | undefined) {}

  canActivate(context: ExecutionContext): true {
    // A route marked as tenant-free runs without a tenant whatever the request claims.
    if (this.#needs.of(context) === 'free' || arrivalOf(context) !== 'http') return true;
    const span = this.spans?.getActiveSpan();
    const tenant = span && getRequestState(requestOf(context))?.frame.tenant;
    if (tenant) span.setAttributes({ 'tenant.id': tenant.id, 'tenant.slug': tenant.slug });
    return true;
  }
}
