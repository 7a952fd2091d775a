import { HttpStatus } from '@nestjs/common';
import { TenancyError } from '../../common/tenancy.errors';
import type { InvitationStatus } from './invitation';

/** The tenant has no invitation with that id, or there is none with that secret. */
export class InvitationNotFoundError extends TenancyError {
  readonly code = 'INVITATION_NOT_FOUND';
  override readonly statusCode = HttpStatus.NOT_FOUND;

  constructor() {
    super('No such invitation. A secret that was cut off, or replaced by a newer one, counts for nothing.');
  }
}

/** The invitation was accepted, declined or revoked, or its time is over. */
export class InvitationEndedError extends TenancyError {
  readonly code = 'INVITATION_ENDED';
  override readonly statusCode = HttpStatus.GONE;

  constructor(readonly outcome: InvitationStatus) {
    super(`The invitation ${outcome === 'expired' ? 'has expired' : `was ${outcome}`}. Ask for another one.`);
  }
}

/** The address has a pending invitation to the tenant already. */
export class InvitationPendingError extends TenancyError {
  readonly code = 'INVITATION_PENDING';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor(readonly id: string) {
    super(`This address has the pending invitation ${id}. Send that one again, or revoke it.`);
  }
}

/** The tenant has the maximum number of pending invitations. */
export class InvitationLimitError extends TenancyError {
  readonly code = 'INVITATION_LIMIT';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor(limit: number) {
    super(
      `The tenant has ${limit} pending invitations, which is the maximum. Revoke one that is not needed.`,
    );
  }
}

/** The token is not of the person who was invited. */
export class InvitationNotYoursError extends TenancyError {
  readonly code = 'INVITATION_NOT_YOURS';
  override readonly statusCode = HttpStatus.FORBIDDEN;

  constructor() {
    super(
      'The invitation is for another address, or the token has no "email" with "email_verified". Sign in with the address that ' +
        'was invited, once it is verified.',
    );
  }
}

/** The invitation was changed after the caller read it. Nothing was done. */
export class InvitationVersionError extends TenancyError {
  readonly code = 'PRECONDITION_FAILED';
  override readonly statusCode = HttpStatus.PRECONDITION_FAILED;

  constructor() {
    super(
      'The invitation does not have the version that you expected: it was changed. Read it again, then decide.',
    );
  }
}
