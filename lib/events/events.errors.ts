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

/** An event was to be recorded by itself: nothing would tie it to what it tells of. */
export class EventOutsideTransactionError extends TenancyError {
  readonly code = 'EVENT_OUTSIDE_TRANSACTION';

  constructor(readonly type: string) {
    super(
      `The event "${type}" was to be recorded outside of a transaction of the tenant. Record it in the one that changes what it tells ` +
        'of, so that both are kept or neither: inside TenantConnection.transaction(), TenantTransactions.run() or ' +
        '@TenantTransaction(). In a transaction that TypeORM was asked for, give its manager: record(type, data, { manager }).',
    );
  }
}

/** An event cannot be kept as it was given. */
export class EventRefusedError extends TenancyError {
  readonly code = 'EVENT_REFUSED';

  constructor(why: string, options?: { cause?: unknown }) {
    super(`The event was not recorded: ${why}.`, options);
  }
}

/** The tenant's database lacks what an event is recorded in. */
export class EventOutboxMissingError extends TenancyError {
  readonly code = 'EVENT_OUTBOX_MISSING';

  constructor(options: { cause: unknown }) {
    super(
      "The tenant's database lacks the table, or the function, by which events are recorded. An instance with TenancyEventsModule " +
        'makes it within seconds of its start, with the rights of adminUrl: see its log.',
      options,
    );
  }
}
