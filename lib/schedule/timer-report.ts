import { messageOf } from '../common/error-message';
import { storableText } from '../common/storable';

/** A run of a timer: its work for all active tenants, at one fire. */
export interface TenantTimerRun {
  readonly name: string;
  /** The time of the cron expression, which may be earlier than `startedAt`. */
  readonly fireAt: Date;
  /** `broken`: the list of tenants could not be read on, so the later ones had no turn. */
  readonly state: 'running' | 'done' | 'broken';
  /** The host and the process that works on it, or did so last. */
  readonly holder: string;
  /** For how many tenants the work has ended, well or not. */
  readonly visited: number;
  readonly failed: number;
  /** The first 100 of the tenants that failed, in the order of their ids. */
  readonly failures: readonly TenantTimerFailure[];
  /** How often another instance has gone on with it. */
  readonly resumed: number;
  /** Why the run broke off. */
  readonly error: string | undefined;
  readonly startedAt: Date;
  readonly finishedAt: Date | undefined;
}

export interface TenantTimerFailure {
  readonly slug: string;
  /** The error's message: its first 500 characters. */
  readonly error: string;
}

/** What is known of a timer. */
export interface TenantTimerStatus {
  readonly name: string;
  readonly expression: string;
  readonly timeZone: string;
  /** When it fires next. `undefined` for a timer that this application does not have. */
  readonly nextAt: Date | undefined;
  /** How many fires came to nothing, as the run before was going on, or no instance was there. */
  readonly skipped: number;
  /** The last of them. */
  readonly skippedAt: Date | undefined;
  readonly lastRun: TenantTimerRun | undefined;
}

/** How many failures of a run are kept. */
export const MAX_FAILURES = 100;
const MAX_ERROR_LENGTH = 500;

/** An error as the record has it. It may be cut in the middle of a character. */
export function errorText(error: unknown): string {
  return storableText(messageOf(error).slice(0, MAX_ERROR_LENGTH));
}

/** A run in one line, for the log. */
export function describeRun({ name, fireAt, visited, failed, failures, error }: TenantTimerRun): string {
  const begin = `The timer "${name}" of ${fireAt.toISOString()} ran for ${visited} tenant(s)`;
  const named = failures.slice(0, 10).map((each) => `${each.slug} (${each.error})`);
  const rest = failed > named.length ? ', …' : '';
  const ofFailed = failed > 0 ? `, and failed for ${failed}: ${named.join(', ')}${rest}` : '';
  return `${begin}${ofFailed}.${error === undefined ? '' : ` It broke off: ${error}`}`;
}
