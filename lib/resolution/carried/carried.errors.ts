import { HttpStatus } from '@nestjs/common';
import { TenancyError } from '../../common/tenancy.errors';

/** What is wrong with the token of a carried tenant. */
export type CarriedTokenProblem =
  'malformed' | 'version' | 'key' | 'signature' | 'purpose' | 'payload' | 'expired' | 'nobody';

/** The token that came with a message or a job is not one that this application has made for it. Nothing was run. */
export class CarriedTokenError extends TenancyError {
  readonly code = 'CARRIED_TOKEN_INVALID';
  override readonly statusCode = HttpStatus.BAD_REQUEST;

  constructor(
    readonly problem: CarriedTokenProblem,
    what: string,
  ) {
    super(`The carried tenant cannot be trusted: ${what}`);
  }
}

/** A tenant is to be carried, and there is no key to sign with. */
export class CarryKeysMissingError extends TenancyError {
  readonly code = 'CARRY_KEYS_MISSING';

  constructor() {
    super(
      "There is no key to sign a carried tenant with. Give TenancyModule.forRoot({ carryKeys: [{ id: '1', secret }] }) a secret " +
        'of at least 32 characters, or set TENANCY_CARRY_KEYS to 1:<secret>; the same in all instances.',
    );
  }
}
