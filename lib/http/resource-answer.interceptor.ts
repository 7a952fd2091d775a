import {
  type CallHandler,
  type ExecutionContext,
  HttpStatus,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { map, type Observable } from 'rxjs';
import { type ApiRequest, headerOf } from './api-request';
import { etagOf, namesTag, type Versioned } from './etag';

/**
 * Answers with the resource that a handler returns, and its `ETag`; with 304 when a GET already has it, and 204 when
 * there is none.
 */
@Injectable()
export abstract class ResourceAnswerInterceptor<Resource extends Versioned> implements NestInterceptor {
  constructor(private readonly adapterHost: HttpAdapterHost) {}

  /** The resource as callers see it. */
  protected abstract view(resource: Resource): object;

  intercept(context: ExecutionContext, next: CallHandler<Resource | undefined>): Observable<unknown> {
    return next.handle().pipe(map((resource) => this.#show(context, resource)));
  }

  #show(context: ExecutionContext, resource: Resource | undefined): object | undefined {
    const { httpAdapter } = this.adapterHost;
    const http = context.switchToHttp();
    const response: unknown = http.getResponse();
    if (!resource) {
      httpAdapter.status(response, HttpStatus.NO_CONTENT);
      return undefined;
    }
    const etag = etagOf(resource);
    httpAdapter.setHeader(response, 'ETag', etag);
    const request = http.getRequest<ApiRequest>();
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (!isRead || !namesTag(headerOf(request, 'if-none-match'), etag)) return this.view(resource);
    httpAdapter.status(response, HttpStatus.NOT_MODIFIED);
    return undefined;
  }
}
