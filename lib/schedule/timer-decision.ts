import type { CronTimes } from './cron-times';
import type { MissedFires } from './tenant-cron.decorator';

/** What the registry says of a timer. All times are PostgreSQL's. */
export interface TimerState {
  readonly now: Date;
  /** What becomes of the fires up to this time is decided. */
  readonly decidedUntil: Date;
  /** The run that has not ended. `isHeld`: an instance still renews its lease. */
  readonly run?: { readonly fireAt: Date; readonly isHeld: boolean };
}

/** What is to be done about a timer, by whichever instance comes first. */
export interface TimerDecision {
  readonly decidedUntil: Date;
  /** How many fires get no run; at most 100 are counted. */
  readonly skipped: number;
  /** The last of them. */
  readonly skippedAt?: Date;
  /** The fire to begin a run for. */
  readonly begin?: Date;
  /** The run to go on with, because its instance is gone. */
  readonly resume?: Date;
}

/** Each takes a good part of a millisecond, and a timer may fire every second. */
const MAX_COUNTED = 100;

/**
 * Decides of the fires that are due. It only looks forward from what was decided before, so no fire runs twice when a
 * clock goes back, and none is left out when it goes on.
 */
export function decide(
  times: Pick<CronTimes, 'last' | 'count'>,
  { missed, lateAfterMs }: { readonly missed: MissedFires; readonly lateAfterMs: number },
  { now, decidedUntil, run }: TimerState,
): TimerDecision {
  const resume = run && !run.isHeld ? run.fireAt : undefined;
  const due = times.last(decidedUntil, now);
  const waits = run !== undefined && missed === 'run-once';
  if (due === undefined || waits) return { decidedUntil, skipped: 0, resume };
  const count = times.count(decidedUntil, due, MAX_COUNTED);
  const isLate = now.getTime() - due.getTime() > lateAfterMs;
  if (run || (isLate && missed === 'skip'))
    return { decidedUntil: due, skipped: count, skippedAt: due, resume };
  // Of several that were missed, the last one runs for all.
  const before = count > 1 ? times.last(decidedUntil, new Date(due.getTime() - 1)) : undefined;
  return { decidedUntil: due, skipped: count - 1, skippedAt: before, begin: due };
}

/** Whether there is nothing to write. */
export function isIdle({ decidedUntil, begin, resume }: TimerDecision, state: TimerState): boolean {
  return !begin && !resume && decidedUntil.getTime() === state.decidedUntil.getTime();
}
