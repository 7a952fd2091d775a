import { InvalidTenancyOptionsError } from '../options/options.errors';
import { TenancyError } from '../common/tenancy.errors';
import { isOutage } from '../common/outage';

/** What the program ends with. Documented in docs/cli.md: scripts rely on them. */
export const EXIT = {
  done: 0,
  /** Something failed that the caller could not foresee. */
  failed: 1,
  /** The command line, the module or the options cannot be used. */
  usage: 2,
  /** What was asked for is refused: no such tenant, a slug that is taken, a tenant in another state. */
  refused: 3,
  /** It worked, and found what needs attention: drift, a problem, tenants in which it failed. */
  findings: 4,
  /** PostgreSQL cannot be reached. */
  unavailable: 5,
  /** It destroys something, and nobody said yes. */
  unconfirmed: 6,
  /** Ctrl-C, as shells count it: 128 and the number of the signal. */
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
