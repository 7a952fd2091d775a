import { HttpStatus } from '@nestjs/common';
import {
  OperatorError,
  TenancyError,
  TenancyUnavailableError,
  TRY_AGAIN_SOON,
} from '../common/tenancy.errors';

/** What clients are told: the names of servers are none of their business. */
const NOT_AVAILABLE = 'The database of this tenant is not available right now. Try again shortly.';

/** A server cannot be used. Nothing was run there. */
abstract class ServerError extends TenancyError {
  override readonly statusCode = HttpStatus.SERVICE_UNAVAILABLE;
  override readonly headers = TRY_AGAIN_SOON;

  /** See `Servers`. */
  override get isTold(): boolean {
    return true;
  }

  override get publicMessage(): string {
    return NOT_AVAILABLE;
  }
}

/** A tenant lives, or code is to work, on a server that this application does not know. Nothing was run. */
export class ServerUnknownError extends ServerError {
  readonly code = 'SERVER_UNKNOWN';

  constructor(readonly server: string) {
    super(
      `Somebody is to be served on the server ${JSON.stringify(server)}, which the option servers does not name. If the registry ` +
        'has tenants there, add it to the options of every instance.',
    );
  }
}

interface ServerAwayDetails {
  readonly cause: unknown;
  /** The option that has it. */
  readonly replica?: string;
  readonly isTold?: boolean;
}

/** A further server, or a replica of one, cannot be reached, or has no free connection. The cause says why. */
export class ServerAwayError extends TenancyUnavailableError {
  override readonly headers = TRY_AGAIN_SOON;

  readonly #isTold: boolean;

  constructor(server: string, { replica, isTold = true, ...options }: ServerAwayDetails) {
    super(replica ?? `The server ${JSON.stringify(server)}`, options);
    this.#isTold = isTold;
  }

  override get isTold(): boolean {
    return this.#isTold;
  }

  override get publicMessage(): string {
    return NOT_AVAILABLE;
  }
}

/** A server's URL leads to something else than the server of that name. Nothing was run there. */
export class ServerMismatchError extends ServerError {
  readonly code = 'SERVER_MISMATCH';

  /** @param found what is there instead, and what to do */
  constructor(
    readonly server: string,
    found: string,
    option = `servers.${server}.url`,
  ) {
    super(`The option ${option} leads elsewhere: ${found}`);
  }
}

/** A server is there, and cannot serve its tenants as it is. Nothing was run there. The cause says why. */
export class ServerNotReadyError extends ServerError {
  readonly code = 'SERVER_NOT_READY';

  constructor(
    readonly server: string,
    cause: unknown,
  ) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`The server ${JSON.stringify(server)} is not ready for tenants: ${why}`, { cause });
  }
}

/** A tenant cannot live in the place that was asked for. Nothing was made. */
export class PlaceNotPossibleError extends OperatorError {
  readonly code = 'PLACE_NOT_POSSIBLE';
  override readonly statusCode = HttpStatus.CONFLICT;
}

/** A tenant is about to change its place, and a request has waited for that for `moves.waitMs`. Nothing was run. */
export class TenantMovingError extends TenancyError {
  readonly code = 'TENANT_MOVING';
  override readonly statusCode = HttpStatus.SERVICE_UNAVAILABLE;
  override readonly headers = TRY_AGAIN_SOON;

  constructor(options?: { cause?: unknown }) {
    super('This tenant is being moved to another place. Try again shortly.', options);
  }

  override get isPassing(): boolean {
    return true;
  }
}

/**
 * A statement was sent to the place that a tenant has just left, and PostgreSQL refused it. It is not sent again elsewhere: the
 * transaction that it belongs to is over. The next request finds the new place.
 */
export class TenantMovedError extends TenancyError {
  readonly code = 'TENANT_MOVED';
  override readonly statusCode = HttpStatus.SERVICE_UNAVAILABLE;
  override readonly headers = TRY_AGAIN_SOON;

  constructor(options?: { cause?: unknown }) {
    super('This tenant was moved to another place meanwhile, and nothing was run. Try again.', options);
  }

  override get isPassing(): boolean {
    return true;
  }
}

/** A tenant is being moved, and what was asked for must wait until that has ended. Nothing was done. */
export class MoveUnderWayError extends OperatorError {
  readonly code = 'MOVE_UNDER_WAY';
  override readonly statusCode = HttpStatus.CONFLICT;

  /** @param what must wait: `be purged` */
  constructor(
    readonly slug: string,
    what: string,
    options?: { cause?: unknown },
  ) {
    super(
      `The tenant ${JSON.stringify(slug)} cannot ${what} now, because it is being moved to another place. Wait for the end of the ` +
        'move, or cancel it.',
      options,
    );
  }
}
