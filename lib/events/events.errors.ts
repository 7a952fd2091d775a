import { InvalidOptionsError } from '../common/options/invalid-options.errors';
import { type FieldError, TenancyError } from '../common/tenancy.errors';

/** The module cannot work with its options, or with a follower. Thrown at the start, and names everything that is wrong. */
export class InvalidEventsOptionsError extends InvalidOptionsError {
  readonly code = 'EVENTS_OPTIONS_INVALID';

  constructor(problems: readonly FieldError[]) {
    super('TenancyEventsModule', problems);
  }
}

/** Two followers of one instance would take events from each other. */
export class FollowerNameTakenError extends TenancyError {
  readonly code = 'EVENT_FOLLOWER_TAKEN';

  constructor(readonly follower: string) {
    super(
      `This instance has a follower "${follower}" already. Give each follower a name of its own, or end the other one first, ` +
        'with the function that follow() has returned.',
    );
  }
}
