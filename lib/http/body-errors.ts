import { HttpStatus } from '@nestjs/common';
import { type TenancyError, ValidationFailedError } from '../common/tenancy.errors';
import { PATCH_BODY } from './accepts.decorator';
import type { ApiRequest } from './api-request';
import { BodyTooLargeError, UnsupportedMediaTypeError } from './http.errors';

/** Token of a pattern for the paths of a module's calls, behind whatever prefix and version the application has. */
export const API_PATHS = Symbol('API_PATHS');

/** Whether a request whose body was refused before any route was found is for one of these paths. */
export function isFor(paths: RegExp, { originalUrl, url }: Pick<ApiRequest, 'originalUrl' | 'url'>): boolean {
  return paths.test(originalUrl ?? url ?? '');
}

/** What a platform's body parser refused with this status, in our words. */
export function explainBodyError(status: unknown): TenancyError {
  if (status === HttpStatus.PAYLOAD_TOO_LARGE) return new BodyTooLargeError();
  if (status === HttpStatus.UNSUPPORTED_MEDIA_TYPE) return new UnsupportedMediaTypeError(PATCH_BODY);
  return new ValidationFailedError([{ field: 'body', message: 'must be well-formed JSON, an object' }]);
}
