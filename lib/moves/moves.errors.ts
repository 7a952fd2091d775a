import { HttpStatus } from '@nestjs/common';
import { OperatorError } from '../common/tenancy.errors';
import type { Move } from './move';

// What the requests of a tenant get while it moves is in `../placement/placement.errors.ts`.

/** A tenant cannot move there, or not now. Nothing was copied, and it is served where it was. */
export class MoveNotPossibleError extends OperatorError {
  readonly code = 'MOVE_NOT_POSSIBLE';
  override readonly statusCode = HttpStatus.CONFLICT;
}

/** There is no record of such a move. */
export class MoveNotFoundError extends OperatorError {
  readonly code = 'MOVE_NOT_FOUND';
  override readonly statusCode = HttpStatus.NOT_FOUND;

  constructor() {
    super('No such move.');
  }
}

/** A move has failed, or was cancelled. The tenant is served where it was, with all its rows. */
export class MoveFailedError extends OperatorError {
  readonly code = 'MOVE_FAILED';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor(
    readonly move: Move,
    options?: { cause?: unknown },
  ) {
    super(`The tenant was not moved and is served where it was: ${move.reason}`, options);
  }
}

/** A move has stopped where it can neither be undone nor gone on with right now. The sweeper of any instance goes on. */
export class MoveInterruptedError extends OperatorError {
  readonly code = 'MOVE_INTERRUPTED';
  override readonly statusCode = HttpStatus.SERVICE_UNAVAILABLE;

  constructor(
    readonly move: Move,
    options: { cause: unknown },
  ) {
    const why = options.cause instanceof Error ? options.cause.message : String(options.cause);
    super(
      `The move ${move.id} has stopped in the state "${move.state}", and the sweeper goes on with it by itself: ${why}`,
      options,
    );
  }
}

/** Another instance has taken the move over. What this one was about to do was not done. */
export class MoveLostError extends OperatorError {
  readonly code = 'MOVE_LOST';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor(id: string) {
    super(`Another instance has taken over the move ${id}, or it was cancelled. This one has stopped.`);
  }
}
