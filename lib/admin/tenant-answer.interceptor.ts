import {
  type CallHandler,
  type ExecutionContext,
  HttpStatus,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { map, type Observable } from 'rxjs';
import type { Tenant } from '../tenant/tenant';
import { type AdminRequest, headerOf } from './admin-request';
import { etagOf, namesTag } from './etag';
import { type TenantView, toTenantView } from './tenant.dto';

/** Shows the tenant that a handler gives, with its `ETag`; 304 to a GET that has it already, and 204 for none. */
@Injectable()
export class TenantAnswerInterceptor implements NestInterceptor {
  constructor(private readonly adapterHost: HttpAdapterHost) {}

  intercept(context: ExecutionContext, next: CallHandler<Tenant | undefined>): Observable<unknown> {
    return next.handle().pipe(map((tenant) => this.#show(context, tenant)));
  }

  #show(context: ExecutionContext, tenant: Tenant | undefined): TenantView | undefined {
    const { httpAdapter } = this.adapterHost;
    const http = context.switchToHttp();
    const response: unknown = http.getResponse();
    if (!tenant) {
      httpAdapter.status(response, HttpStatus.NO_CONTENT);
      return undefined;
    }
    const etag = etagOf(tenant);
    httpAdapter.setHeader(response, 'ETag', etag);
    const request = http.getRequest<AdminRequest>();
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (!isRead || !namesTag(headerOf(request, 'if-none-match'), etag)) return toTenantView(tenant);
    httpAdapter.status(response, HttpStatus.NOT_MODIFIED);
    return undefined;
  }
}
