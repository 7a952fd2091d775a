import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { routeMetadata } from '../context/handler-call';
import { type Accepted, ACCEPTED } from './accepted.guard';
import type { ApiRequest } from './api-request';
import { checkFields } from './api-validation.pipe';

/**
 * Checks the fields that a call takes before any pipe runs. Global pipes of the application run before pipes of our
 * controllers, and would answer with errors of their own.
 */
@Injectable()
export class FieldsInterceptor implements NestInterceptor {
  /** @throws ValidationFailedError naming every bad field */
  async intercept(context: ExecutionContext, next: CallHandler) {
    const request = context.switchToHttp().getRequest<ApiRequest>();
    const { query, body } = routeMetadata<Accepted>(ACCEPTED, context) ?? {};
    if (query) await checkFields(request.query, 'query', query);
    if (body) await checkFields(request.body, 'body', body);
    return next.handle();
  }
}
