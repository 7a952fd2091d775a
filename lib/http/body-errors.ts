import { HttpStatus } from '@nestjs/common';
import { type TenancyError, ValidationFailedError } from '../common/tenancy.errors';
import { PATCH_BODY } from './accepts.decorator';
import type { ApiRequest } from './api-request';
import { BodyTooLargeError, UnsupportedMediaTypeError } from './http.errors';

/** Token of a pattern for the paths of a module's calls, with any prefix and version of the application before them. */
export const API_PATHS = Symbol('API_PATHS');

/** Whether a request is for one of these paths. Its body was refused before a route was found. */
export function isFor(paths: RegExp, { originalUrl, url }: Pick<ApiRequest, 'originalUrl' | 'url'>): boolean {
  return paths.test(originalUrl ?? url ?? '');
}

/** Our error for a body that a platform's parser refused with this status. */
export function explainBodyError(status: unknown): TenancyError {
  if (status === HttpStatus.PAYLOAD_TOO_LARGE) return new BodyTooLargeError();
  if (status === HttpStatus.UNSUPPORTED_MEDIA_TYPE) return new UnsupportedMediaTypeError(PATCH_BODY);
  return new ValidationFailedError([{ field: 'body', message: 'must be well-formed JSON, an object' }]);
}
