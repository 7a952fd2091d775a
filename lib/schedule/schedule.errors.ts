import { InvalidOptionsError } from '../common/options/invalid-options.errors';
import type { FieldError } from '../common/tenancy.errors';

/** The module cannot work with its options, or with a timer. Thrown at the start, and names everything that is wrong. */
export class InvalidScheduleError extends InvalidOptionsError {
  readonly code = 'SCHEDULE_INVALID';

  constructor(problems: readonly FieldError[]) {
    super('TenancyScheduleModule', problems);
  }
}
