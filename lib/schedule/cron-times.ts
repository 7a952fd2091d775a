import { createRequire } from 'node:module';
import { loadPackage } from '../common/absent-package';

interface CronTime {
  getNextDateFrom(start: Date, timeZone: string): { toMillis(): number };
}

export type CronTimeClass = new (expression: string, timeZone: string) => CronTime;

/** The package that reads the expressions of `@Cron()`. It is a dependency of `@nestjs/schedule`, and found as such. */
export function loadCronTime(): CronTimeClass {
  const load = (): unknown => createRequire(require.resolve('@nestjs/schedule'))('cron');
  return loadPackage<{ readonly CronTime: CronTimeClass }>('@nestjs/schedule', 'TenancyScheduleModule', load)
    .CronTime;
}

const SECOND_MS = 1_000;

/** When a cron expression fires. Fires are whole seconds, and the same on every instance. */
export class CronTimes {
  readonly #time: CronTime;

  /** @throws Error for an expression or a time zone that cannot be read */
  constructor(
    Time: CronTimeClass,
    expression: string,
    readonly timeZone: string,
  ) {
    this.#time = new Time(expression, timeZone);
  }

  /** The first fire after `start`. @throws Error when there is none in the next eight years */
  next(start: Date): Date {
    // Where clocks are put back, a time that was there already may be found again.
    for (let from = start.getTime(); ; from += SECOND_MS) {
      const next = this.#time.getNextDateFrom(new Date(from), this.timeZone).toMillis();
      if (next > start.getTime()) return new Date(next);
    }
  }

  /** The last fire after `start` and not after `end`. */
  last(start: Date, end: Date): Date | undefined {
    if (this.next(start) > end) return undefined;
    let [early, late] = [start.getTime(), end.getTime()];
    // There is a fire between `early` and `end`, and none between `late` and `end`: where the two meet is the last one.
    while (late - early > SECOND_MS) {
      const middle = Math.floor((early + late) / 2);
      if (this.next(new Date(middle)) <= end) early = middle;
      else late = middle;
    }
    return this.next(new Date(early));
  }

  /** How many fires there are after `start` and not after `end`, up to `atMost`. */
  count(start: Date, end: Date, atMost: number): number {
    let count = 0;
    for (let at = this.next(start); at <= end && count < atMost; at = this.next(at)) count++;
    return count;
  }
}
