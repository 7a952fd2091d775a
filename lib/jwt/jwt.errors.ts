import { HttpStatus } from '@nestjs/common';
import { TenancyError } from '../common/tenancy.errors';

/** The request carries a token that is malformed, forged, expired, or not meant for this application. */
export class TenantTokenInvalidError extends TenancyError {
  readonly code = 'TENANT_TOKEN_INVALID';
  override readonly statusCode = HttpStatus.UNAUTHORIZED;
  /** RFC 6750, 3. */
  override readonly headers: Readonly<Record<string, string>>;

  constructor(why: string, scheme: string, options?: { cause?: unknown }) {
    super(`The token was refused: ${why}. Ask its issuer for a new one.`, options);
    this.headers = { 'WWW-Authenticate': `${scheme || 'Bearer'} error="invalid_token"` };
  }
}
