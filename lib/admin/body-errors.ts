import { HttpStatus } from '@nestjs/common';
import { type TenancyError, ValidationFailedError } from '../common/tenancy.errors';
import { PATCH_BODY } from './accepts.decorator';
import type { AdminRequest } from './admin-request';
import { BodyTooLargeError, UnsupportedMediaTypeError } from './admin.errors';

/** The path of a call of ours, behind whatever prefix and version the application has. */
const ADMIN_PATH = /\/admin\/tenants(?:[/?]|$)/i;

/** Whether a request whose body was refused before any route was found is for the admin API. */
export function isAdminRequest({ originalUrl, url }: Pick<AdminRequest, 'originalUrl' | 'url'>): boolean {
  return ADMIN_PATH.test(originalUrl ?? url ?? '');
}

/** What a platform's body parser refused with this status, in the words of the admin API. */
export function explainBodyError(status: unknown): TenancyError {
  if (status === HttpStatus.PAYLOAD_TOO_LARGE) return new BodyTooLargeError();
  if (status === HttpStatus.UNSUPPORTED_MEDIA_TYPE) return new UnsupportedMediaTypeError(PATCH_BODY);
  return new ValidationFailedError([{ field: 'body', message: 'must be well-formed JSON, an object' }]);
}
