import { TenancyError } from '../common/tenancy.errors';
import { EXIT } from './exit-codes';

/** The command line, or a file that it names, cannot be used. The message says what to write instead. */
export class CommandLineError extends TenancyError {
  readonly code = 'COMMAND_LINE_INVALID';
  override readonly statusCode = 400;
  readonly exitCode = EXIT.usage;
}

/** For a user who has written an option before the command. */
export const OPTIONS_LAST =
  'Options follow the command: tenancy doctor --module dist/app.module.js#AppModule';

/** Something would be destroyed, and the user has not confirmed it. Nothing was done. */
export class NotConfirmedError extends TenancyError {
  readonly code = 'NOT_CONFIRMED';
  override readonly statusCode = 400;
  readonly exitCode = EXIT.unconfirmed;

  constructor(why: string) {
    super(`Nothing was done: ${why}`);
  }
}

/** Ctrl-C. Work that had begun is undone. */
export class InterruptedError extends TenancyError {
  readonly code = 'INTERRUPTED';
  readonly exitCode = EXIT.interrupted;

  constructor(what: string) {
    super(`Interrupted. ${what}`);
  }
}
