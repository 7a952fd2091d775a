import { HttpStatus } from '@nestjs/common';
import { InvalidOptionsError } from '../common/options/invalid-options.errors';
import { type FieldError, TenancyError } from '../common/tenancy.errors';
import { StartError } from '../common/start.errors';

/** RFC 9110, 11.6.1: an answer 401 must say which credentials are accepted. */
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

/** The request carries several credentials, so it is unclear which of them counts. */
export class CredentialsAmbiguousError extends TenancyError {
  readonly code = 'CREDENTIALS_AMBIGUOUS';
  override readonly statusCode = HttpStatus.BAD_REQUEST;

  constructor() {
    super('The request carries more than one credential. Send one.');
  }
}

/** The text that was sent is not a key: its form or its checksum is wrong. */
export class ApiKeyMalformedError extends TenancyError {
  readonly code = 'API_KEY_MALFORMED';
  override readonly statusCode = HttpStatus.UNAUTHORIZED;
  override readonly headers = BAD_CREDENTIAL;

  constructor() {
    super('The API key is malformed: it was mistyped or cut off. Send the whole key.');
  }
}

/** The text has the form of a key, but no such key exists. */
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

/** Revoked keys never come back. A request with one is answered 401, an attempt to change one 409. */
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

/** The token is good, but its subject is no active member of the request's tenant. */
export class NotAMemberError extends TenancyError {
  readonly code = 'NOT_A_MEMBER';
  override readonly statusCode = HttpStatus.FORBIDDEN;

  constructor() {
    super('You are no active member of this tenant.');
  }
}

/** The tenant has no key with that id. */
export class ApiKeyNotFoundError extends TenancyError {
  readonly code = 'API_KEY_NOT_FOUND';
  override readonly statusCode = HttpStatus.NOT_FOUND;

  constructor() {
    super('No such API key.');
  }
}

/** The tenant has the maximum number of keys. */
export class ApiKeyLimitError extends TenancyError {
  readonly code = 'API_KEY_LIMIT';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor(limit: number) {
    super(
      `The tenant has ${limit} API keys, which is the maximum. Revoke one that is not needed, then make another.`,
    );
  }
}

/** The key was changed after the caller read it. Nothing was done. */
export class ApiKeyVersionError extends TenancyError {
  readonly code = 'PRECONDITION_FAILED';
  override readonly statusCode = HttpStatus.PRECONDITION_FAILED;

  constructor() {
    super(
      'The API key does not have the version that you expected: it was changed. Read it again, then decide.',
    );
  }
}

/** Something of the registry was to be written with a manager of another database. Nothing was written there. */
export class ManagerElsewhereError extends TenancyError {
  readonly code = 'MANAGER_ELSEWHERE';

  constructor(method: string) {
    super(
      `${method} got a manager that works in another database than the registry, where this is kept. \`within\` and hooks of a ` +
        'tenant on a further server get one of that server: leave manager out there.',
    );
  }
}

/** JWT claims were read from an API key, which has none. */
export class NotAnAccessTokenError extends TenancyError {
  readonly code = 'NOT_AN_ACCESS_TOKEN';

  constructor() {
    super('Only an access token has claims. Check principal.type before you call claims().');
  }
}

/** The module cannot work with these options. Thrown at the start. */
export class InvalidAccessOptionsError extends InvalidOptionsError {
  readonly code = 'INVALID_ACCESS_OPTIONS';

  constructor(problems: readonly FieldError[]) {
    super('TenancyAccessModule', problems);
  }
}

/** Every request needs a credential, but no resolver reads one. Thrown at the start. */
export class CredentialsUnreadError extends StartError {
  readonly code = 'CREDENTIALS_UNREAD';

  constructor() {
    super(
      'With TenancyAccessModule each route that is not @Public() needs an API key or an access token, but no resolver reads ' +
        'them, so every request would be answered 401. Put fromApiKey() among the resolvers of TenancyModule, fromJwtClaim() for access ' +
        'tokens, or both.',
    );
  }
}

/** The application uses API keys or scopes without importing the module that checks them. */
export class AccessModuleMissingError extends StartError {
  readonly code = 'ACCESS_MODULE_MISSING';

  constructor(what: string, options?: { cause?: unknown }) {
    super(
      `${what} needs TenancyAccessModule.forRoot() of nestjs-tenancy/access in the root module.`,
      options,
    );
  }
}
