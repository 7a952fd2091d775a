import { HttpException, HttpStatus } from '@nestjs/common';

/** One refused field of a body, query or option. */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

/**
 * The base of everything this package throws on purpose. `code` is stable: match on it, not on the message.
 *
 * It extends `HttpException`, so Nest answers `{ statusCode, code, message }` by itself and filters written for
 * `HttpException` see it. A caller's mistake overrides `statusCode`; a programmer's keeps 500.
 */
export abstract class TenancyError extends HttpException {
  abstract readonly code: string;
  readonly statusCode: number = HttpStatus.INTERNAL_SERVER_ERROR;
  /** HTTP headers that the answer carries besides. */
  readonly headers?: Readonly<Record<string, string>>;

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, HttpStatus.INTERNAL_SERVER_ERROR, options);
  }

  override getStatus(): number {
    return this.statusCode;
  }

  override getResponse(): Record<string, unknown> {
    return { statusCode: this.statusCode, code: this.code, message: this.message };
  }

  /** What GraphQL servers put beside the message: `code`, and the rest of the HTTP body. */
  get extensions(): Record<string, unknown> {
    const { message: _, ...extensions } = this.getResponse();
    return extensions;
  }
}

/** Something asks to be let in by a way that we do not know, so nothing can be said of its tenant. */
export class TransportUnknownError extends TenancyError {
  readonly code = 'TRANSPORT_UNKNOWN';

  constructor(handler: string, what: string, remedy: string) {
    super(
      `${handler} was called by ${what}. Known are HTTP, queries and mutations of GraphQL over it, WebSockets and microservices; ` +
        `all else is refused. ${remedy}`,
    );
  }
}

/** Seconds: what was in the way is gone as soon as a statement or a transaction of the tenant ends. */
export const TRY_AGAIN_SOON = { 'Retry-After': '1' } as const;

/** The database behind the registry or the tenants cannot be reached, or has no connection to lend. */
export class TenancyUnavailableError extends TenancyError {
  readonly code = 'TENANCY_UNAVAILABLE';
  override readonly statusCode = HttpStatus.SERVICE_UNAVAILABLE;

  constructor(what: string, options?: { cause?: unknown }) {
    super(`${what} is not available right now. Try again shortly.`, options);
  }
}

/** A body, query or path was refused; `errors` names each field. */
export class ValidationFailedError extends TenancyError {
  readonly code = 'VALIDATION_FAILED';
  override readonly statusCode = HttpStatus.BAD_REQUEST;

  constructor(readonly errors: readonly FieldError[]) {
    super(`Validation failed: ${errors.map(({ field, message }) => `${field}: ${message}`).join('; ')}`);
  }

  override getResponse(): Record<string, unknown> {
    return { ...super.getResponse(), errors: this.errors };
  }
}

/** COMMIT was answered with ROLLBACK: nothing of the transaction is kept. */
export class TransactionRolledBackError extends TenancyError {
  readonly code = 'TRANSACTION_ROLLED_BACK';

  constructor() {
    super(
      'PostgreSQL answered COMMIT with ROLLBACK, so nothing of the transaction was kept: a statement in it had failed before, and its ' +
        'error was caught or not awaited. Let that error reach the end of the transaction, or put the part that may fail into a ' +
        'savepoint: manager.transaction(...) inside of it.',
    );
  }
}

/** Too much of the tenant's work waits for a connection, or to be counted, or one waited too long for its turn. Nothing was sent. */
export class TenantBusyError extends TenancyError {
  readonly code = 'TENANT_BUSY';
  override readonly statusCode = HttpStatus.SERVICE_UNAVAILABLE;
  override readonly headers = TRY_AGAIN_SOON;

  constructor() {
    super('This tenant has as many requests under way as it may have. Try again shortly.');
  }
}
