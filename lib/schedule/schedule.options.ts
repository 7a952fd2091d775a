import { callback, milliseconds } from '../common/options/kinds';
import { type Given, Option } from '../common/options/option.decorator';
import type { TenantTimerRun } from './timer-report';

export const SCHEDULE_OPTIONS = Symbol('SCHEDULE_OPTIONS');

export class CheckedScheduleOptions {
  /**
   * How long a run belongs to an instance that says nothing more, in milliseconds: an integer from 2,000 to 3,600,000.
   * After that another one goes on with it. Default 30,000.
   */
  @Option(milliseconds(2_000, 3_600_000))
  readonly leaseMs: number = 30_000;

  /**
   * A fire that is noticed later than this counts as missed, in milliseconds: an integer from 1,000 to 86,400,000.
   * Default 60,000.
   */
  @Option(milliseconds(1_000, 86_400_000))
  readonly lateAfterMs: number = 60_000;

  /**
   * How long a shutdown waits for the tenants whose work has begun, in milliseconds: an integer from 0 to 3,600,000.
   * Then the run is given up to another instance all the same. Default 10,000.
   */
  @Option(milliseconds(0, 3_600_000))
  readonly shutdownTimeoutMs: number = 10_000;

  /**
   * Called once for each run that has ended, in the instance that ended it, with what became of it. An error that it
   * throws is logged. Default none.
   */
  @Option(callback<TimerRunEnded>('give a function of a run'))
  readonly onRun?: TimerRunEnded;
}

export type TenancyScheduleOptions = Given<CheckedScheduleOptions>;

type TimerRunEnded = (run: TenantTimerRun) => void | Promise<void>;
