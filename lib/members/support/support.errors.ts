import { HttpStatus } from '@nestjs/common';
import { StartError } from '../../common/start.errors';
import { TenancyError } from '../../common/tenancy.errors';
import type { SupportStatus } from './support-session';

/** RFC 9110, 11.6.1. */
const BAD_CREDENTIAL = { 'WWW-Authenticate': 'Bearer error="invalid_token"' };

/** The text that was sent is the credential of no support session. */
export class SupportKeyInvalidError extends TenancyError {
  readonly code = 'SUPPORT_KEY_INVALID';
  override readonly statusCode = HttpStatus.UNAUTHORIZED;
  override readonly headers = BAD_CREDENTIAL;

  constructor() {
    super('No such support session. Send the whole credential as X-Support-Key.');
  }
}

/** The session is over. A request with it is answered 401, an attempt to change it 409. */
export class SupportEndedError extends TenancyError {
  readonly code = 'SUPPORT_ENDED';
  override readonly statusCode: number;
  override readonly headers?: Readonly<Record<string, string>>;

  constructor(outcome: SupportStatus, asked: 'use' | 'change') {
    super(`The support session is over: it ${outcome === 'revoked' ? 'was revoked' : `has ${outcome}`}.`);
    this.statusCode = asked === 'use' ? HttpStatus.UNAUTHORIZED : HttpStatus.CONFLICT;
    this.headers = asked === 'use' ? BAD_CREDENTIAL : undefined;
  }
}

/** The tenant is asked for each session, and no owner has approved this one yet. */
export class SupportNotApprovedError extends TenancyError {
  readonly code = 'SUPPORT_NOT_APPROVED';
  override readonly statusCode = HttpStatus.FORBIDDEN;

  constructor() {
    super('No owner of the tenant has approved this support session yet.');
  }
}

/** The tenant wants no support sessions. */
export class SupportForbiddenError extends TenancyError {
  readonly code = 'SUPPORT_FORBIDDEN';
  override readonly statusCode = HttpStatus.FORBIDDEN;

  constructor() {
    super('The tenant lets nobody in for support (supportAccess: never). Only its owners can change that.');
  }
}

/** Support sessions are for requests, each of which is recorded; what comes over a socket is not. */
export class SupportOverSocketError extends TenancyError {
  readonly code = 'SUPPORT_OVER_SOCKET';
  override readonly statusCode = HttpStatus.FORBIDDEN;

  constructor() {
    super('A support session cannot open a WebSocket: send requests, each of which is recorded.');
  }
}

/** The tenant has no support session with that id. */
export class SupportSessionNotFoundError extends TenancyError {
  readonly code = 'SUPPORT_SESSION_NOT_FOUND';
  override readonly statusCode = HttpStatus.NOT_FOUND;

  constructor() {
    super('No such support session.');
  }
}

/** Only an owner may decide it. */
export class OwnerRequiredError extends TenancyError {
  readonly code = 'OWNER_REQUIRED';
  override readonly statusCode = HttpStatus.FORBIDDEN;

  constructor() {
    super('Only an owner of the tenant can decide on support.');
  }
}

/** `fromSupportKey()` is among the resolvers of an application without members. Thrown at the start. */
export class MembersModuleMissingError extends StartError {
  readonly code = 'MEMBERS_MODULE_MISSING';

  constructor(what: string, options?: { cause?: unknown }) {
    super(
      `${what} needs TenancyMembersModule.forRoot() of nestjs-tenancy/members in the root module.`,
      options,
    );
  }
}
