import { HttpStatus } from '@nestjs/common';
import { InvalidOptionsError } from '../common/options/invalid-options.errors';
import { type FieldError, StartError, TenancyError } from '../common/tenancy.errors';

/** RFC 9110, 11.6.1: an answer 401 says how to do better. */
const CHALLENGE = { 'WWW-Authenticate': 'Bearer' };
const BAD_CREDENTIAL = { 'WWW-Authenticate': 'Bearer error="invalid_token"' };

/** The route is not public, and the request carries no credential. */
export class UnauthenticatedError extends TenancyError {
  readonly code = 'UNAUTHENTICATED';
  override readonly statusCode = HttpStatus.UNAUTHORIZED;
  override readonly headers = CHALLENGE;

  constructor() {
    super('Send an API key or an access token.');
  }
}

/** The request carries several credentials: who of them it is for, nobody knows. */
export class CredentialsAmbiguousError extends TenancyError {
  readonly code = 'CREDENTIALS_AMBIGUOUS';
  override readonly statusCode = HttpStatus.BAD_REQUEST;

  constructor() {
    super('The request carries more than one credential. Send one.');
  }
}

/** What was sent is no key: its form or its checksum is wrong. */
export class ApiKeyMalformedError extends TenancyError {
  readonly code = 'API_KEY_MALFORMED';
  override readonly statusCode = HttpStatus.UNAUTHORIZED;
  override readonly headers = BAD_CREDENTIAL;

  constructor() {
    super('That is no API key: it was mistyped or cut off.');
  }
}

/** It looks like a key, and nobody has it. */
export class ApiKeyInvalidError extends TenancyError {
  readonly code = 'API_KEY_INVALID';
  override readonly statusCode = HttpStatus.UNAUTHORIZED;
  override readonly headers = BAD_CREDENTIAL;

  constructor() {
    super('No such API key.');
  }
}

export class ApiKeyExpiredError extends TenancyError {
  readonly code = 'API_KEY_EXPIRED';
  override readonly statusCode = HttpStatus.UNAUTHORIZED;
  override readonly headers = BAD_CREDENTIAL;

  constructor() {
    super('The API key has expired.');
  }
}

export class ApiKeyBlockedError extends TenancyError {
  readonly code = 'API_KEY_BLOCKED';
  override readonly statusCode = HttpStatus.UNAUTHORIZED;
  override readonly headers = BAD_CREDENTIAL;

  constructor() {
    super('The API key is blocked.');
  }
}

/** Revoked keys never come back. 401 to who sends one, 409 to who wants one changed. */
export class ApiKeyRevokedError extends TenancyError {
  readonly code = 'API_KEY_REVOKED';
  override readonly statusCode: number;
  override readonly headers?: Readonly<Record<string, string>>;

  constructor(asked: 'use' | 'change') {
    super('The API key was revoked. Make another one.');
    this.statusCode = asked === 'use' ? HttpStatus.UNAUTHORIZED : HttpStatus.CONFLICT;
    this.headers = asked === 'use' ? BAD_CREDENTIAL : undefined;
  }
}

/** The key may not be used from where the request came. */
export class ApiKeyAddressError extends TenancyError {
  readonly code = 'API_KEY_ADDRESS_REFUSED';
  override readonly statusCode = HttpStatus.FORBIDDEN;

  constructor() {
    super('The API key may not be used from this address.');
  }
}

/** The tenant has no key of that id. */
export class ApiKeyNotFoundError extends TenancyError {
  readonly code = 'API_KEY_NOT_FOUND';
  override readonly statusCode = HttpStatus.NOT_FOUND;

  constructor() {
    super('No such API key.');
  }
}

/** The tenant has as many keys as it may. */
export class ApiKeyLimitError extends TenancyError {
  readonly code = 'API_KEY_LIMIT';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor(limit: number) {
    super(
      `The tenant has ${limit} API keys, as many as it may. Revoke one that is not needed, then make another.`,
    );
  }
}

/** The key was changed since the caller looked at it. Nothing was done. */
export class ApiKeyVersionError extends TenancyError {
  readonly code = 'PRECONDITION_FAILED';
  override readonly statusCode = HttpStatus.PRECONDITION_FAILED;

  constructor() {
    super('The API key is not what you expected it to be: it was changed. Read it again, then decide.');
  }
}

/** Claims were asked of an API key, which has none. */
export class NotAnAccessTokenError extends TenancyError {
  readonly code = 'NOT_AN_ACCESS_TOKEN';

  constructor() {
    super('An API key has no claims: look at principal.type before you ask for them.');
  }
}

/** The module cannot work with these options. Thrown at start. */
export class InvalidAccessOptionsError extends InvalidOptionsError {
  readonly code = 'INVALID_ACCESS_OPTIONS';

  constructor(problems: readonly FieldError[]) {
    super('TenancyAccessModule', problems);
  }
}

/** Every request needs a credential, and no resolver reads one. Thrown at start. */
export class CredentialsUnreadError extends StartError {
  readonly code = 'CREDENTIALS_UNREAD';

  constructor() {
    super(
      'With TenancyAccessModule each route that is not @Public() asks for an API key or an access token, and no resolver reads ' +
        'them, so everybody would be answered 401. Put fromApiKey() among the resolvers of TenancyModule, fromJwtClaim() for access ' +
        'tokens, or both.',
    );
  }
}

/** The application uses API keys or scopes, and nothing in it knows them. */
export class AccessModuleMissingError extends StartError {
  readonly code = 'ACCESS_MODULE_MISSING';

  constructor(what: string, options?: { cause?: unknown }) {
    super(
      `${what} needs TenancyAccessModule.forRoot() of nestjs-tenancy/access in the root module.`,
      options,
    );
  }
}
