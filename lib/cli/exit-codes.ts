import { InvalidTenancyOptionsError } from '../options/options.errors';
import { TenancyError } from '../common/tenancy.errors';
import { isOutage } from '../common/outage';

/** The exit codes of the program. docs/cli.md documents them, because scripts rely on them. */
export const EXIT = {
  done: 0,
  /** An unexpected failure. */
  failed: 1,
  /** The command line, the module or the options cannot be used. */
  usage: 2,
  /** The request was refused: there is no such tenant, a slug is taken, a tenant has another status. */
  refused: 3,
  /** It worked, but found something that needs attention: drift, a problem, tenants in which it failed. */
  findings: 4,
  /** PostgreSQL cannot be reached. */
  unavailable: 5,
  /** It would destroy something, and the user has not confirmed it. */
  unconfirmed: 6,
  /** Ctrl-C, in the way of shells: 128 plus the number of the signal. */
  interrupted: 130,
} as const;

export function exitCodeOf(error: unknown): number {
  const { exitCode, statusCode } = (error ?? {}) as { exitCode?: unknown; statusCode?: unknown };
  if (error instanceof InvalidTenancyOptionsError) return EXIT.usage;
  if (error instanceof TenancyError) {
    if (typeof exitCode === 'number') return exitCode;
    if (statusCode === 503) return EXIT.unavailable;
    return typeof statusCode === 'number' && statusCode < 500 ? EXIT.refused : EXIT.failed;
  }
  return isOutage(error) ? EXIT.unavailable : EXIT.failed;
}
