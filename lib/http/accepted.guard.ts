import { type CanActivate, type ExecutionContext, Injectable, SetMetadata, type Type } from '@nestjs/common';
import { routeMetadata } from '../context/handler-call';
import { type FieldError, ValidationFailedError } from '../common/tenancy.errors';
import { type ApiRequest, headerOf } from './api-request';
import { UnsupportedMediaTypeError } from './http.errors';

/** What a call takes besides its path. Anything else is refused. */
export interface Accepted {
  /** The class with the rules for its query. Default: no query. */
  readonly query?: Type<object>;
  /** The class with the rules for its body. Default: no body. */
  readonly body?: Type<object>;
  /** Media types of the body. Default `JSON_BODY`. */
  readonly as?: readonly string[];
}

export const ACCEPTED = Symbol('ACCEPTED');

export const JSON_BODY = ['application/json'];

/** RFC 7386. Here plain JSON has the same meaning. */
export const MERGE_PATCH = 'application/merge-patch+json';

export const PATCH_BODY = [...JSON_BODY, MERGE_PATCH];

export const Accepts = (accepted: Accepted) => SetMetadata(ACCEPTED, accepted);

/**
 * Refuses a query or a body that the call does not take, so that a caller who sends one does not believe that it had an
 * effect. `FieldsInterceptor` checks the fields that a call takes.
 */
@Injectable()
export class AcceptedGuard implements CanActivate {
  /**
   * @throws ValidationFailedError when the call takes no query or no body
   * @throws UnsupportedMediaTypeError when the body has another type
   */
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<ApiRequest>();
    const accepted = routeMetadata<Accepted>(ACCEPTED, context) ?? {};
    const { query, body, as: mediaTypes = JSON_BODY } = accepted;
    if (!query) refuseFields(request.query);
    // HTTP gives the body of a GET no meaning, and platforms differ in whether they read it.
    if (request.method === 'GET' || request.method === 'HEAD') return true;
    if (hasBody(request) && !mediaTypes.includes(mediaTypeOf(request))) {
      throw new UnsupportedMediaTypeError(mediaTypes);
    }
    if (!body) refuseFields(request.body);
    return true;
  }
}

function refuseFields(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  const errors = Object.keys(value).map((field): FieldError => ({ field, message: 'should not exist' }));
  if (errors.length > 0) throw new ValidationFailedError(errors);
}

/** As RFC 9112, 6.3, defines it. The parsed body does not tell, because parsing depends on the media type. */
function hasBody(request: ApiRequest): boolean {
  if (headerOf(request, 'transfer-encoding') !== undefined) return true;
  return Number(headerOf(request, 'content-length') ?? 0) > 0;
}

function mediaTypeOf(request: ApiRequest): string {
  const [type = ''] = (headerOf(request, 'content-type') ?? '').split(';');
  return type.trim().toLowerCase();
}
